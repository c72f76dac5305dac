"""Training of a model on batches: the loop, checkpoints and evaluation."""
