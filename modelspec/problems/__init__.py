"""Problems as values: the mistake, its place and a hint."""
