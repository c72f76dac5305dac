"""What a model starts from: files of weights, and how they are matched to its layers."""
