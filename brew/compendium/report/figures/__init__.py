"""The figures of the report: one file a figure, which takes arrays and tables and returns what matplotlib drew."""
