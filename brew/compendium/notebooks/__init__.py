"""Notebooks as stages: execute through Papermill, clean to reproducible bytes, render as a page.

`brew notebook run notebooks/pretrain.ipynb --scale miniature --set arm=deo` is what
a stage of `dvc.yaml` runs; `scrub` takes the outputs out of source notebooks.
"""
