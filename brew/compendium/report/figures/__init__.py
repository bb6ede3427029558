"""Figures of the report, one file each, drawn from tables and arrays. Nothing here reads or writes files."""
