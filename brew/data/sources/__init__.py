"""Where images come from: one entry of SOURCES each, and a file for how its samples are read."""
