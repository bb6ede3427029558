"""Rehearsals: a scale whose data, weights or hours nobody has here, run in small with every step that it takes."""
