"""Pictures of graphs: which boxes are drawn, as Mermaid, DOT, SVG, PNG and PDF."""
