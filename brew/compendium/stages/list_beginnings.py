"""Stage `beginnings`: what no rounding should have touched yet, as another machine compares it.

`bytes.csv`: hashes of what holds no rounding of this machine: stores, their splits, the views' parameters of every
run's first epoch, and teachers that came with their weights. `similarities.csv`: every run's first steps.
`brew beginnings SCALE` writes both.
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brew.compendium.scale_teachers import teachers_of
from brew.compendium.settings import load
from brew.compendium.stage import Stage
from brew.compendium.stages import use_stand_ins
from brew.compendium.stages.arm_plan import plan
from brew.data.store import open_store
from brew.files import Layout, sha256
from brew.models.teachers import OpticalTeacher
from brew.views import ViewParameters, ViewSettings, draw_view_parameters

#: Steps whose similarities are compared; samples whose views' parameters are hashed, and the grid that they are for.
STEPS, _SAMPLES, _GRID = 3, 64, (64, 64)
BYTES, SIMILARITIES = "bytes.csv", "similarities.csv"
#: Columns of a history that say when and how a step was taken, not what it gave.
_NO_RESULT = frozenset({"step"})


def write(scale: str) -> Path:
    """Write both tables of a scale, and return their folder."""
    stage = Stage(load(scale), Layout(scale))
    use_stand_ins(stage.settings)
    folder = stage.layout.site / "beginnings"
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(_hashes(stage), columns=["kind", "name", "sha256"]).to_csv(folder / BYTES, index=False)
    similarities(stage).to_csv(folder / SIMILARITIES, index=False)
    return folder


def _hashes(stage: Stage) -> Iterator[tuple[str, str, str]]:
    for source in stage.settings.data.present():
        path = stage.layout.store(source)
        yield "store", source, sha256(path)
        yield "split", source, _digest("\n".join(map(str, open_store(path)["split"].values)).encode())
    for run in stage.settings.arms:
        _, numbers = plan(stage, run)
        yield "views", run, views_digest(numbers.views, numbers.optimisation.seed)
    for entry in teachers_of(stage):
        if not entry.learned_here and (stage.layout.read("optical-teacher") / f"{entry.name}.pt").exists():
            yield "teacher", entry.name, weights_digest(entry.build())


def views_digest(settings: ViewSettings, seed: int) -> str:
    """SHA-256 of the parameters of every view of the first samples in the first epoch."""
    drawn = draw_view_parameters(torch.arange(_SAMPLES), _GRID, seed=seed, epoch=0, settings=settings)
    return _digest(b"".join(_bytes(view) for view in drawn))


def _bytes(view: ViewParameters) -> bytes:
    parts = [view.geometry, *([view.colour] if view.colour is not None else [])]
    tensors = [value for part in parts for value in vars(part).values() if isinstance(value, torch.Tensor)]
    return view.name.encode() + b"".join(np.ascontiguousarray(each.numpy()).tobytes() for each in tensors)


def weights_digest(teacher: OpticalTeacher) -> str:
    """SHA-256 of a network's weights in the order of their names; centres, which this machine sums, do not count."""
    weights = teacher.network.state_dict()
    return _digest(b"".join(name.encode() + weights[name].numpy().tobytes() for name in sorted(weights)))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def similarities(stage: Stage) -> pd.DataFrame:
    """One row per run, step and number of its first steps: columns run, step, name, value."""
    files = {run: stage.layout.read(f"pretrain/{run}") / "history.csv" for run in stage.settings.arms}
    rows = [
        (run, int(row["step"]), name, value)
        for run, file in files.items()
        if file.exists()  # an arm whose teacher is absent has none
        for row in pd.read_csv(file).head(STEPS).to_dict("records")
        for name, value in row.items()
        if name not in _NO_RESULT and value == value
    ]
    return pd.DataFrame(rows, columns=["run", "step", "name", "value"])


def main(arguments: list[str]) -> int:
    """`brew beginnings SCALE`."""
    parser = argparse.ArgumentParser(prog="brew beginnings", description="Write what another machine compares first.")
    parser.add_argument("scale")
    write(parser.parse_args(arguments).scale)
    return 0
