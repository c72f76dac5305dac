"""The type of a shape."""

Shape = tuple[int | None, ...]
"""Lengths of the axes; None is an unknown length, as that of the batch."""
