"""The weights that a model starts from: files of weights, matched to its layers."""
