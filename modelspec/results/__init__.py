"""Results as plain data: summary, costs and balance of a model."""
