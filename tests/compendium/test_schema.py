"""Settings: what a parameter file may say, and what the error says where it says something else."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium.schema import load
from brew.errors import BrewError


@dataclasses.dataclass(frozen=True)
class Crop:
    size: int
    area: tuple[float, float] = (0.4, 1.0)

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise ValueError(f"size is {self.size}; expected a positive number of pixels")


@dataclasses.dataclass(frozen=True)
class Example:
    epochs: int
    rate: float = 0.1
    name: str = "deo"
    resume: bool = True
    optimiser: Literal["adamw", "sgd"] = "adamw"
    teacher: str | None = None
    store: Path | None = None
    arms: tuple[str, ...] = ()
    crop: Crop = dataclasses.field(default_factory=lambda: Crop(64))
    crops: Mapping[str, Crop] = dataclasses.field(default_factory=dict)
    locals_or_none: int | Literal["none"] = 10


CROPS = st.builds(
    Crop, size=st.integers(1, 1000), area=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2)
)
EXAMPLES = st.builds(
    Example,
    epochs=st.integers(),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(),
    resume=st.booleans(),
    optimiser=st.sampled_from(["adamw", "sgd"]),
    teacher=st.none() | st.text(),
    store=st.none() | st.builds(Path, st.text("ab/", min_size=1)),
    arms=st.lists(st.text(), max_size=3).map(tuple),
    crop=CROPS,
    crops=st.dictionaries(st.text(), CROPS, max_size=2),
    locals_or_none=st.integers() | st.just("none"),
)


def as_yaml(value: Any) -> Any:
    """What YAML gives for the plain form of a dataclass: lists for tuples, text for paths."""
    if isinstance(value, dict):
        return {key: as_yaml(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [as_yaml(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@given(EXAMPLES)
def test_what_was_written_is_loaded(example: Example) -> None:
    assert load(Example, as_yaml(dataclasses.asdict(example)), "here") == example


def test_defaults_fill_what_is_not_given() -> None:
    assert load(Example, {"epochs": 3}, "here") == Example(epochs=3)


def test_whole_numbers_become_floats_where_a_float_is_declared() -> None:
    rate = load(Example, {"epochs": 3, "rate": 1}, "here").rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"epochs": 1, "epoch": 2}, "here: key 'epoch' is unknown; did you mean 'epochs'?"),
        ({}, "here: key 'epochs' is missing"),
        ({"epochs": "3"}, "here.epochs: found str '3'; expected a whole number"),
        ({"epochs": 3.0}, "here.epochs: found float 3.0; expected a whole number"),
        ({"epochs": True}, "here.epochs: found bool True; expected a whole number"),
        ({"epochs": None}, "here.epochs: found nothing; expected a whole number"),
        ({"epochs": 1, "resume": 1}, "here.resume: found int 1; expected true or false"),
        ({"epochs": 1, "rate": "5e-4x"}, "here.rate: found str '5e-4x'; expected a number"),
        ({"epochs": 1, "name": 5}, "here.name: found int 5; expected text"),
        ({"epochs": 1, "optimiser": "adam"}, "here.optimiser: found str 'adam'; did you mean 'adamw'?"),
        ({"epochs": 1, "teacher": 4}, "here.teacher: found int 4; expected text"),
        ({"epochs": 1, "arms": "deo"}, "here.arms: found str 'deo'; expected a list"),
        ({"epochs": 1, "arms": ["deo", 1]}, "here.arms[1]: found int 1; expected text"),
        ({"epochs": 1, "crop": 64}, "here.crop: found int 64; expected a mapping with the keys of Crop"),
        ({"epochs": 1, "crop": {"sise": 64}}, "here.crop: key 'sise' is unknown; did you mean 'size'?"),
        ({"epochs": 1, "crop": {"size": 64, "area": [1]}}, "here.crop.area: found 1 entries in [1]; expected 2"),
        ({"epochs": 1, "crop": {"size": -1}}, "here.crop: size is -1; expected a positive number"),
        ({"epochs": 1, "crops": {"a": {"size": "x"}}}, "here.crops.a.size: found str 'x'"),
        ({"epochs": 1, "crops": {1: {"size": 1}}}, "here.crops: key 1: found int 1; expected text"),
        ({"epochs": 1, "locals_or_none": 1.5}, "here.locals_or_none: fits none of its kinds"),
        ([1], "here: found a list [1]; expected a mapping with the keys of Example"),
    ],
)
def test_what_does_not_fit_is_named(given_: Any, message: str) -> None:
    with pytest.raises(BrewError) as error:
        load(Example, given_, "here")
    assert message in str(error.value)


def test_a_literal_does_not_take_true_for_one() -> None:
    kind = dataclasses.make_dataclass("Kind", [("scale", Literal[1, 2])], frozen=True)
    with pytest.raises(BrewError, match="found bool True"):
        load(kind, {"scale": True}, "here")


def test_a_kind_that_settings_cannot_hold_is_a_mistake_of_the_code() -> None:
    kind = dataclasses.make_dataclass("Kind", [("names", set[str])], frozen=True)
    with pytest.raises(TypeError, match=r"here\.names: settings cannot hold"):
        load(kind, {"names": []}, "here")
