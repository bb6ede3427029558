"""Pretraining: arms (what is trained), objective (what is maximised), loop (how). Knows nothing of evaluation."""
