"""Files to batches: npz members, arrays by name, rows of a phase."""
