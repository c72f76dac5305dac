"""Two graphs and their settings, compared by what they mean."""
