"""Pictures of graphs: the choice of boxes, and Mermaid, DOT, SVG, PNG and PDF."""
