"""PROTOCOLS: the ways to train and score a benchmark, by name.

`common` is brew's own, whose numbers stand in the section `evaluation` of the parameters: the same for every benchmark.
Every other entry is a state of the authors' evaluation code. Its numbers stand in the benchmark's `Protocol`. What the
authors changed from state to state stands in the `State`. Applying one to a benchmark is `brew.evaluation.authors`.

A protocol decides what is predicted. A *reading* decides which number a prediction becomes (`OVER`): the counts of all
test samples are summed before the metric is taken, or the metric is averaged over images or over batches of images.
"""

from dataclasses import dataclass
from typing import Literal

from brew.errors import BrewError, nearest

COMMON, AUTHORS = "common", "authors"
#: What a metric is taken over. "set": counts are summed over the whole test.
OVER = SET, IMAGES, BATCHES = "set", "images", "batches"
Statistics = Literal["backbone", "training images", "white"]


@dataclass(frozen=True)
class Protocol:
    """How the authors ran a benchmark, in all states of their code.

    size: pixels of the input, to which images are resized. loss: of LOSSES. batch: effective.
    warmup: epochs in which the rate rises from zero. last_rate: where the cosine after it ends.
    width: channels of the decoder. orientations: in which training images are seen (flips).
    statistics: what normalises images: the backbone's own numbers, mean and deviation of the training images, or the
    sensor's white point alone.
    bands: in the order in which networks that read positions were fed; empty for the sensor's own.
    low_data: the store's variable that marks the training samples of the low-data table; None if it is not part of
    it. read_from: where these numbers stand.
    """

    size: int
    loss: str
    learning_rate: float
    epochs: int = 50
    batch: int = 64
    optimiser: str = "AdamW"
    weight_decay: float = 0.01
    warmup: int = 5
    last_rate: float = 1e-6
    width: int = 512
    orientations: int = 1
    statistics: Statistics = "training images"
    bands: tuple[str, ...] = ()
    low_data: str | None = None
    read_from: str = "satmae_experiments at f3f5d53, the authors' own"


@dataclass(frozen=True)
class NoData:
    """How a state reads Sen1Floods11, whose class 0 is no data.

    alone: whether the two other classes are all that the decoder knows. metric: of METRICS; chosen_by: the one by which
    validation chooses the epoch.
    """

    alone: bool
    metric: str
    chosen_by: str


_IGNORED = NoData(False, "iou_micro", "iou_micro")
_COUNTED = NoData(False, "iou_macro_with_ignored", "iou_macro_with_ignored")
_TWO_CLASSES = NoData(True, "iou_macro", "iou_micro")
#: Positions among the fed bands that stand for red, green and blue: the first three, or the second to fourth reversed.
_FIRST, _SECOND_TO_FOURTH = (0, 1, 2), (3, 2, 1)


@dataclass(frozen=True)
class State:
    """A state of the authors' evaluation code: what changed between its commits.

    frozen: whether the trunk stays as pretrained; otherwise it is trained with the decoder, at the decoder's rate.
    colours: which of the fed bands a network that sees three colours got. floods: the reading of Sen1Floods11.
    """

    name: str
    commits: str
    frozen: bool
    colours: tuple[int, int, int]
    floods: NoData


STATES: dict[str, State] = {
    state.name: state
    for state in (
        State(AUTHORS, "up to f3f5d53", True, _FIRST, _IGNORED),
        State("authors-0978904", "0978904 to d481550", True, _SECOND_TO_FOURTH, _IGNORED),
        State("authors-c931665", "c931665 to 635ae1a", False, _SECOND_TO_FOURTH, _COUNTED),
        State("authors-83485ae", "83485ae to 12e4fe1", True, _SECOND_TO_FOURTH, _TWO_CLASSES),
        State("authors-b808714", "b808714", False, _SECOND_TO_FOURTH, _TWO_CLASSES),
    )
}
PROTOCOLS = (COMMON, *STATES)


def check_protocols(names: tuple[str, ...]) -> None:
    """BrewError for a name that PROTOCOLS lacks, with the nearest one, for none at all, or for one named twice."""
    if not names or len(set(names)) != len(names):
        raise BrewError(f"protocols is {list(names)}; expected at least one of {', '.join(PROTOCOLS)}, each once")
    for name in names:
        if name not in PROTOCOLS:
            raise BrewError(f"protocol {name!r} is unknown; {nearest(name, PROTOCOLS)}")
