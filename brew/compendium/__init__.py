"""The compendium: scales, pipeline, stages, notebooks and report. What a reviewer runs and reads."""
