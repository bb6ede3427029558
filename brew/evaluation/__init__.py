"""Frozen-trunk evaluation: one protocol for every backbone, from features to scores with their intervals."""
