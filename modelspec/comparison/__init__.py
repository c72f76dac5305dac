"""Two graphs and their settings, compared by meaning."""
