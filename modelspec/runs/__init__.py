"""A run's folder: what lies in it, and what its files say."""
