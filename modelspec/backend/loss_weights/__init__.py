"""Strategies that set the weights of losses while a model is trained."""
