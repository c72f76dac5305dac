"""Results as plain data: what a model is, what it costs, how its losses stand."""
