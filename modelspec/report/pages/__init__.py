"""Pages about runs: HTML without scripts or links to elsewhere, and Markdown."""
