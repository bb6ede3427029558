"""Notebooks as stages: execute through Papermill, clean to reproducible bytes, render as a page.

`python -m brew.notebooks run notebooks/pretrain.ipynb --scale miniature --set arm=deo --out reports/.../pretrain.ipynb`
is what a stage of `dvc.yaml` runs; `scrub` takes the outputs out of source notebooks.
"""
