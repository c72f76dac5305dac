"""Training by several processes: collective operations, and a model whose batches are shared."""
