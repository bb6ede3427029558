"""What optical teachers tell apart: principal components of their patch features as colours."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from torch import Tensor

from brew.compendium.report.pictures import true_colour
from brew.models.teachers import TeacherFeatures


def principal_colours(maps: Float[Tensor, "image width y x"]) -> Float[np.ndarray, "image y x 3"]:
    """The first three principal components of patch features over all images, in [0, 1]."""
    count, width, rows, columns = maps.shape
    flat = maps.permute(0, 2, 3, 1).reshape(-1, width).double().numpy()
    components = PCA(3, svd_solver="full").fit_transform(flat)
    # A component's sign is arbitrary: the larger tail points up, so that the same features give the same colours.
    components *= np.where(np.abs(components.min(0)) > components.max(0), -1, 1)
    low, high = np.percentile(components, (1, 99), axis=0)
    return np.clip((components - low) / (high - low), 0, 1).reshape(count, rows, columns, 3)


def teacher_features(images: Float[Tensor, "image 3 y x"], features: Mapping[str, TeacherFeatures]) -> Figure:
    """Display images in [0, 1] above the principal colours of each teacher's middle and late patches."""
    rows = [("image", np.stack([true_colour(np.asarray(each) * 255, "rgb") for each in images]))]
    for name, seen in features.items():
        rows += [(f"{name}:\nmiddle patches", principal_colours(seen.middle)),
                 (f"{name}:\nlate patches", principal_colours(seen.late))]  # fmt: skip
    figure, axes = plt.subplots(
        len(rows), len(images), figsize=(2 * len(images), 2.07 * len(rows)), layout="constrained", squeeze=False
    )
    for row, (title, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(title, fontsize=9)
    return figure
