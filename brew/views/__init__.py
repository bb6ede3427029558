"""Views: the random crops of a whole batch that student and teachers see, made on the training device."""

from brew.views.label_crops import crop_labels
from brew.views.masks import draw_mask
from brew.views.multicrop import View, ViewParameters, ViewSettings, apply_views, draw_view_parameters, make_views

__all__ = [
    "View", "ViewParameters", "ViewSettings", "apply_views", "crop_labels", "draw_mask", "draw_view_parameters",
    "make_views",
]  # fmt: skip
