"""A feed of a few rendered scenes, and a run short enough for a test."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric

from brew.data.batches import Batch
from brew.data.miniature.rendering import render
from brew.models.student import build_student
from brew.models.teachers import TEACHERS, OpticalTeacher
from brew.pretraining.arms import arm
from brew.pretraining.loop import Pretrained, pretrain
from brew.pretraining.optimisation import Optimisation
from brew.pretraining.supervised_tasks import supervised_task
from brew.views import ViewSettings

VIEWS = ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5, mask_patch=8)


class SceneFeed:
    """Sixteen scenes in two batches, the same every epoch."""

    name = "scenes"

    def __init__(self, products: dict[str, torch.Tensor]):
        self.products = {key: products[key][:, 0] for key in ("multispectral", "optical", "sar")}

    def __len__(self) -> int:
        return 2

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for step in range(start_step, 2):
            rows = slice(8 * step, 8 * step + 8)
            yield Batch(torch.arange(16)[rows], {name: values[rows] for name, values in self.products.items()})


class PlaceFeed(SceneFeed):
    """The same scenes on both dates, with their labels."""

    name = "miniature"
    labels = ("materials_by_date", "scene", "change")

    def __init__(self, products: dict[str, torch.Tensor]):
        super().__init__(products)
        self.world = products
        self.products |= {key: products[key] for key in self.labels}
        self.later = {key: products[key][:, 1] for key in ("multispectral", "optical")}

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for batch in super().epoch(epoch, start_step):
            yield Batch(batch.samples, batch.arrays, {key: each[batch.samples] for key, each in self.later.items()})


class AerialFeed(SceneFeed):
    """The optical images alone, with the labels of a source of aerial images."""

    def __init__(self, products: dict[str, torch.Tensor], source: str):
        super().__init__(products)
        optical = self.products["optical"]
        bright = optical.float().mean(1) > 100
        self.name = source
        self.products = {"optical": optical, "scene": products["scene"] % 7, "buildings": bright.to(torch.uint8)}


@pytest.fixture(scope="session")
def world() -> dict[str, torch.Tensor]:
    products = ("multispectral", "optical", "sar", "materials", "scene", "change")
    rendered = render(torch.arange(16), 5, products=products, size=32)
    return rendered | {"materials_by_date": rendered["materials"]}


@pytest.fixture(scope="session")
def scenes(world) -> SceneFeed:
    return SceneFeed(world)


@pytest.fixture(scope="session")
def places(world) -> PlaceFeed:
    return PlaceFeed(world)


@pytest.fixture(scope="session")
def teacher() -> OpticalTeacher:
    torch.manual_seed(0)
    return TEACHERS["miniature"].build(random=True)


@pytest.fixture
def short_run(scenes: SceneFeed, places: PlaceFeed, teacher: OpticalTeacher, tmp_path: Path):
    """A function that pretrains one arm for some steps. feed: replaces the scenes. depth: stochastic depth."""

    def teachers(name: str) -> OpticalTeacher:
        return teacher if name == teacher.name else TEACHERS[name].build(random=True)

    def run(
        name: str,
        steps: int,
        feed: object = None,
        unfinished: Path | None = None,
        depth: float | None = None,
        snapshots: Mapping[int, Path] = MappingProxyType({}),
        **numbers: object,
    ) -> Pretrained:
        chosen = arm(name).with_teacher("miniature")
        optimisation = Optimisation(steps=steps, learning_rate=2e-3, hidden=32, width=32, **numbers)  # type: ignore[arg-type]
        student = build_student(
            "swin-nano",
            chosen.paths,
            stochastic_depth=depth,
            fixed_count=optimisation.fixed_count,
            fused_attention=optimisation.fused_attention,
            maskable=bool(chosen.masking),
            seed=0,
        )
        sources = {supervised_task(entry.task).source for entry in chosen.supervision} - {places.name}
        shown = places if (chosen.dated_paths or chosen.supervision) and not sources else scenes
        aerial = [AerialFeed(places.world, source) for source in sources]
        feeds = [feed or shown, *aerial]
        return pretrain(
            chosen, student, {each: teachers(each) for each in chosen.teachers}, feeds, VIEWS, optimisation,
            unfinished or tmp_path / "unfinished.pt", Fabric(accelerator="cpu", devices=1), snapshots=snapshots,
        )  # fmt: skip

    return run


def last(history: pd.DataFrame, column: str, steps: int = 6) -> float:
    return float(history[column].tail(steps).mean())
