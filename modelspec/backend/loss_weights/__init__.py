"""Strategies that set loss weights during training."""
