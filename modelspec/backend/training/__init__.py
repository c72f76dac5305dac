"""Batches and a model to a trained model: the loop, checkpoints, evaluation."""
