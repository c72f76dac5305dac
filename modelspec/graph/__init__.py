"""Spec to Graph: blocks expanded, names resolved, calls sorted, heads matched."""
