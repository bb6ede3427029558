"""Stage `optical-teacher`: the scale's frozen teachers, their centres, and a look at what they know."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brew.compendium.report.figures.note import note
from brew.compendium.report.figures.teacher_features import teacher_features
from brew.compendium.report.style import save
from brew.compendium.scale_teachers import teachers_of, weights_file, with_centres
from brew.compendium.stages import Stage
from brew.compendium.stages.optical_images import OPTICAL_SOURCES, as_display, displays, spread
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.models.teachers import OpticalTeacher, TeacherEntry, TeacherUnavailable

#: Sources whose licence lets a picture into a report.
_SHOWN_SOURCES = ("miniature", "hot_buildings", "spacenet1")
_PROBED = ("train", "validation")
#: Pixels of the image by which a teacher's widths are looked at.
_LOOKED = 64


def prepare(stage: Stage) -> pd.DataFrame:
    """Load every teacher, centre it if it is meant to be, keep the centres; what they are, a column each.

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
    check_widths(teacher)
    if teacher.centred:
        teacher.centre_on(displays(stage, stage.settings.optical_teacher.centre_images))
    torch.save(teacher.centres(), folder / f"{entry.name}.pt")
    parameters = sum(parameter.numel() for parameter in teacher.parameters())
    return pd.Series(
        facts | {"state": "ready", "parameters": f"{parameters:,}", "centred on images": int(teacher.centre_images)}
    )


@torch.no_grad()
def check_widths(teacher: OpticalTeacher) -> None:
    """BrewError if the network gives other widths than its entry declares: students would be built for these."""
    found = teacher.network(teacher.prepared(torch.rand(1, 3, _LOOKED, _LOOKED)))
    widths = found.class_token.shape[1], found.late.shape[1], found.middle.shape[1]
    declared = teacher.width, teacher.late_width, teacher.middle_width
    if widths != declared:
        raise BrewError(
            f"teacher {teacher.name!r} gives {widths} channels (class token, late and middle patches); expected "
            f"{declared}, as its entry of TEACHERS declares. Correct the widths there, or name the network that they "
            "belong to"
        )


def probe(stage: Stage) -> pd.DataFrame:
    """Accuracy of a linear probe on class tokens: every teacher, and its architecture untrained.

    The probe is fitted on training scenes and read on validation scenes of every optical source with a scene label.
    Test sets are left to the classification stage.
    """
    folder, numbers, probed = stage.layout.write("optical-teacher"), stage.settings.optical_teacher.probe, {}
    for entry in teachers_of(stage):
        if (folder / f"{entry.name}.pt").exists():
            probed[entry.name] = with_centres(entry, folder)
        probed[f"{entry.name}, random weights"] = _untrained(entry)
    rows = []
    for name in OPTICAL_SOURCES:
        path = stage.layout.store(name)
        if not path.exists() or "scene" not in (dataset := open_store(path)):
            continue
        splits, scenes = dataset["split"].values, dataset["scene"].values
        fitted, read = (
            spread(np.flatnonzero(splits == split), limit)
            for split, limit in zip(_PROBED, (numbers.train, numbers.validation), strict=True)
        )
        images = ArrayReader(path, "optical")
        for label, teacher in probed.items():
            x, y = _class_tokens(teacher, images, fitted), _class_tokens(teacher, images, read)
            classifier = LogisticRegression(C=numbers.inverse_penalty, max_iter=numbers.iterations)
            model = make_pipeline(StandardScaler(), classifier).fit(x, scenes[fitted])
            rows.append(
                {"source": name, "features": label, "accuracy": round(model.score(y, scenes[read]), 3),
                 "scenes fitted": len(fitted), "scenes read": len(read)}
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=["source", "features", "accuracy", "scenes fitted", "scenes read"])
    table.to_csv(folder / "probe.csv", index=False)
    return table


def _untrained(entry: TeacherEntry) -> OpticalTeacher:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return entry.build(random=True)


def _class_tokens(teacher: OpticalTeacher, reader: ArrayReader, samples: np.ndarray, batch: int = 64) -> np.ndarray:
    starts = range(0, len(samples), batch)
    tokens = [teacher(as_display(reader.read(samples[at : at + batch])[:, 0])).class_token for at in starts]
    return torch.cat(tokens).numpy()


def look(stage: Stage, images: int = 6) -> Figure:
    """Training images above the principal components of every teacher's patches."""
    folder = stage.layout.write("optical-teacher")
    ready = [entry for entry in teachers_of(stage) if (folder / f"{entry.name}.pt").exists()]
    if not ready:
        return note(f"teacher {stage.settings.teacher!r} is absent: nothing to show")
    first = next(displays(stage, limit=images, batch=images, sources=_SHOWN_SOURCES), None)
    if first is None:
        return note(f"nothing to show: the scale has none of {', '.join(_SHOWN_SOURCES)}")
    figure = teacher_features(first, {entry.name: with_centres(entry, folder)(first) for entry in ready})
    caption = (
        f"What the optical teacher ({', '.join(entry.name for entry in ready)}) sees: training images, and the first "
        "three principal components of its middle and late patch features as red, green and blue."
    )
    save(figure, folder / "teacher-pca.png", caption)
    return figure
