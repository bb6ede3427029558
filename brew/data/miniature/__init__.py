"""The miniature Earth: a procedural source, rendered from reflectance spectra, that needs no download."""
