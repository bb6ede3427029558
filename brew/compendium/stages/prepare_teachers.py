"""Stage `optical-teacher`: the scale's frozen teachers, their centres, and a look at what they know."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import save
from brew.compendium.scale_teachers import teachers_of, weights_file, with_centres
from brew.compendium.stages import Stage
from brew.data.store import ArrayReader, open_store
from brew.models.teachers import OpticalTeacher, TeacherEntry, TeacherUnavailable
from brew.sensors import SENSORS

#: Stores with optical images, in the order in which they are shown; training splits alone are read.
OPTICAL_SOURCES = ("miniature", "rsscn7", "hot_buildings")
#: Sources whose licence lets a picture into a report.
_SHOWN_SOURCES = ("miniature", "hot_buildings")
TRAINING = ("pretrain", "train")
_PROBED = ("train", "validation")
_CENTRE_IMAGES = 512


def displays(
    stage: Stage, limit: int = _CENTRE_IMAGES, batch: int = 64, sources: tuple[str, ...] = OPTICAL_SOURCES
) -> Iterator[Tensor]:
    """Training images of the optical sources in [0, 1], (batch, 3, y, x); never a scored one."""
    for name in sources:
        path = stage.layout.store(name)
        if not path.exists():
            continue
        members = np.flatnonzero(np.isin(open_store(path)["split"].values, TRAINING))
        chosen = spread(members, limit)
        reader = ArrayReader(path, "optical")
        for start in range(0, len(chosen), batch):
            yield torch.from_numpy(reader.read(chosen[start : start + batch])[:, 0]).float() / SENSORS["rgb"].white


def spread(members: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of the members, evenly spaced: stores are sorted by class or city."""
    return members[np.unique(np.linspace(0, len(members) - 1, min(limit, len(members))).astype(int))]


def prepare(stage: Stage) -> pd.DataFrame:
    """Load every teacher, centre it where it is meant to be, keep the centres; what they are, a column each.

    One whose weights are absent is said to be so, and its arms will be "not run"; no other one takes its place.
    """
    folder = stage.layout.write("optical-teacher")
    return pd.DataFrame({entry.name: _prepared(stage, entry, folder) for entry in teachers_of(stage)})


def _prepared(stage: Stage, entry: TeacherEntry, folder: Path) -> pd.Series:
    facts = {"source": entry.source, "licence": entry.licence}
    try:
        teacher = entry.build(weights=weights_file(folder, entry))
    except TeacherUnavailable as absent:
        (folder / f"{entry.name}-absent.txt").write_text(f"{absent}\n")
        return pd.Series(facts | {"state": f"absent: {absent}"})
    if teacher.centred:
        teacher.centre_on(displays(stage))
    torch.save(teacher.centres(), folder / f"{entry.name}.pt")
    parameters = sum(parameter.numel() for parameter in teacher.parameters())
    return pd.Series(
        facts | {"state": "ready", "parameters": f"{parameters:,}", "centred on images": int(teacher.centre_images)}
    )


def probe(stage: Stage, train: int = 700, test: int = 350) -> pd.DataFrame:
    """Accuracy of a linear probe on class tokens: every teacher, and its architecture untrained.

    Fitted on training scenes and read on validation scenes of every optical source with a scene label; test sets are
    left to the classification stage.
    """
    readers = {}
    for entry in teachers_of(stage):
        if (stage.layout.write("optical-teacher") / f"{entry.name}.pt").exists():
            readers[entry.name] = with_centres(entry, stage.layout.write("optical-teacher"))
        readers[f"{entry.name}, random weights"] = _untrained(entry)
    rows = []
    for name in OPTICAL_SOURCES:
        path = stage.layout.store(name)
        if not path.exists() or "scene" not in (dataset := open_store(path)):
            continue
        splits, scenes = dataset["split"].values, dataset["scene"].values
        fitted, read = (
            spread(np.flatnonzero(splits == split), limit) for split, limit in zip(_PROBED, (train, test), strict=True)
        )
        images = ArrayReader(path, "optical")
        for label, teacher in readers.items():
            x, y = _class_tokens(teacher, images, fitted), _class_tokens(teacher, images, read)
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500)).fit(x, scenes[fitted])
            rows.append(
                {"source": name, "features": label, "accuracy": round(model.score(y, scenes[read]), 3),
                 "scenes fitted": len(fitted), "scenes read": len(read)}
            )  # fmt: skip
    table = pd.DataFrame(rows)
    table.to_csv(stage.layout.write("optical-teacher") / "probe.csv", index=False)
    return table


def _untrained(entry: TeacherEntry) -> OpticalTeacher:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return entry.build(random=True)


def _class_tokens(teacher: OpticalTeacher, reader: ArrayReader, samples: np.ndarray, batch: int = 64) -> np.ndarray:
    tokens = []
    for start in range(0, len(samples), batch):
        images = torch.from_numpy(reader.read(samples[start : start + batch])[:, 0]).float()
        tokens.append(teacher(images / SENSORS["rgb"].white).class_token)
    return torch.cat(tokens).numpy()


def principal_colours(maps: Tensor) -> np.ndarray:
    """(image, y, x, 3) in [0, 1]: the first three principal components of patch features over all images."""
    count, width, rows, columns = maps.shape
    flat = maps.permute(0, 2, 3, 1).reshape(-1, width).double().numpy()
    components = PCA(3, svd_solver="full").fit_transform(flat)
    # A component's sign is arbitrary: the larger tail points up, so that the same features give the same colours.
    components *= np.where(np.abs(components.min(0)) > components.max(0), -1, 1)
    low, high = np.percentile(components, (1, 99), axis=0)
    return np.clip((components - low) / (high - low), 0, 1).reshape(count, rows, columns, 3)


def look(stage: Stage, images: int = 6) -> Figure:
    """Training images beside the principal components of every teacher's patches."""
    folder = stage.layout.write("optical-teacher")
    ready = [entry for entry in teachers_of(stage) if (folder / f"{entry.name}.pt").exists()]
    if not ready:
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.text(0, 0.5, f"teacher {stage.settings.teacher!r} is absent: nothing to show")
        axis.axis("off")
        return figure
    first = next(displays(stage, limit=images, batch=images, sources=_SHOWN_SOURCES))
    rows = [("image", np.stack([true_colour(np.asarray(each) * 255, "rgb") for each in first]))]
    for entry in ready:
        features = with_centres(entry, folder)(first)
        rows += [(f"{entry.name}:\nmiddle patches", principal_colours(features.middle)),
                 (f"{entry.name}:\nlate patches", principal_colours(features.late))]  # fmt: skip
    figure, axes = plt.subplots(
        len(rows), len(first), figsize=(2 * len(first), 2.07 * len(rows)), layout="constrained", squeeze=False
    )
    for row, (title, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(title, fontsize=9)
    names = ", ".join(entry.name for entry in ready)
    caption = (
        f"What the optical teacher ({names}) sees: training images, and the first three principal components of its "
        "middle and late patch features as red, green and blue."
    )
    save(figure, folder / "teacher-pca.png", caption)
    return figure
