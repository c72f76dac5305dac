"""Text to Spec: YAML with places, overrides, parameters, validation."""
