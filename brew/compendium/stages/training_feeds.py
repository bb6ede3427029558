"""The scale's feeds that an arm can use, and one process's share of each."""

from collections.abc import Iterable

from lightning_fabric import Fabric

from brew.compendium.settings import FeedSettings
from brew.compendium.stages import Stage
from brew.data.batches import Batches
from brew.data.miniature.feed import RenderedFeed
from brew.data.store import open_store
from brew.errors import BrewError
from brew.pretraining.arms import Arm
from brew.pretraining.feeds import Feed
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
        return Batches(feed.source, path, _seen(chosen, feed), feed.splits, feed.batch, seed, *share)
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


def _seen(chosen: Arm, feed: FeedSettings) -> tuple[str, ...]:
    """The feed's variables that the arm looks at: radar images only if it has a stem for them."""
    return tuple(variable for variable in feed.variables if variable in (*PAPER_PATHS, *chosen.paths))
