"""The scale's feeds that an arm can use, and one process's share of each."""

from collections.abc import Iterable
from typing import get_args

from lightning_fabric import Fabric

from brew.compendium.settings import FeedSettings
from brew.compendium.stages import Stage
from brew.data.batches import Batches, Pairs
from brew.data.miniature.feed import RenderedFeed
from brew.data.store import image_hashes, open_store
from brew.errors import BrewError
from brew.evaluation.benchmarks import Task
from brew.evaluation.splits import NAMES
from brew.pretraining.arms import Arm
from brew.pretraining.feeds import Feed
from brew.pretraining.supervised_tasks import scored_too, supervised_task
from brew.sensors import PAPER_PATHS


def usable(chosen: Arm, feeds: tuple[FeedSettings, ...]) -> tuple[FeedSettings, ...]:
    """The feeds that have an image for one of the arm's stems; a multispectral one has optical bands too."""
    return tuple(feed for feed in feeds if set(chosen.paths) & stems_of(feed.variables))


def stems_of(variables: Iterable[str]) -> set[str]:
    """The stems that read images of a store's variables."""
    reach = {"multispectral": {"multispectral", "optical"}}
    return {path for variable in variables for path in reach.get(variable, {variable})}


def share_of(stage: Stage, chosen: Arm, feed: FeedSettings, seed: int, fabric: Fabric) -> Feed:
    """This process's share of a source: its store's samples, or scenes behind its store's last one."""
    path, share = stage.layout.store(feed.source), (fabric.device, fabric.global_rank, fabric.world_size)
    if not feed.rendered:
        variables = (*_seen(chosen, feed), *label_variables(chosen, feed))
        return Batches(feed.source, path, variables, feed.splits, feed.batch, seed, *share, pairs=_pairs(chosen, feed))
    world = stage.settings.data.miniature
    assert world is not None  # it has a store
    if world.year is not None or world.misaligned is not None:
        raise BrewError(
            "pretraining.feeds: scenes are to be rendered while training runs, but `data.miniature` has a year or "
            "misaligned images; expected neither. Leave `rendered` out"
        )
    device, rank, processes = share
    return RenderedFeed(
        feed.source, world.seed, feed.rendered, feed.batch, world.size, _seen(chosen, feed), device,
        first=open_store(path).sizes["sample"], rank=rank, world=processes,
    )  # fmt: skip


def label_variables(chosen: Arm, feed: FeedSettings) -> tuple[str, ...]:
    """The variables of the source that hold labels which the arm learns from."""
    tasks = [supervised_task(entry.task) for entry in chosen.supervision]
    return tuple(task.variable for task in tasks if task.source == feed.source)


def _pairs(chosen: Arm, feed: FeedSettings) -> Pairs:
    """Whether the feed gives two dates of each place: if it shows what the arm compares over time."""
    return chosen.pairs if set(chosen.dated_paths) & stems_of(feed.variables) else "none"


def check_labels(stage: Stage, chosen: Arm) -> None:
    """BrewError if the arm learns from labels of an image on which another task of its student is scored.

    A task whose labels taught the student is not scored on it at all (`scored_models`).
    """
    offered = [entry for task in get_args(Task) for entry in stage.benchmarks(task)]
    tasks = [entry.task for entry in chosen.supervision]
    scored = [entry for entry in offered if not scored_too(tasks, [(entry.source, entry.labels)])]
    for feed in stage.settings.pretraining.feeds:
        if not label_variables(chosen, feed) or feed.source not in {entry.source for entry in scored}:
            continue
        path = stage.layout.store(feed.source)
        shared = image_hashes(path, feed.splits) & image_hashes(path, NAMES)
        if shared:
            raise BrewError(
                f"arm {chosen.name!r} learns from labels of {len(shared)} images of {feed.source!r} (splits "
                f"{', '.join(feed.splits)}), which the scale scores too; expected labels of images that are pretrained "
                "on alone. Give the feed the split 'pretrain'"
            )


def _seen(chosen: Arm, feed: FeedSettings) -> tuple[str, ...]:
    """The feed's variables that the arm looks at: radar images only if it has a stem for them."""
    return tuple(variable for variable in feed.variables if variable in (*PAPER_PATHS, *chosen.paths))
