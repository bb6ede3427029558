"""A scale's parameters in small: what is trained and scored stays, how much of it shrinks.

Arms, teachers, backbones, benchmarks, protocols, shares of the labels, precision, losses and schedules stay. Steps,
batches, views, epochs, widths, decoders, samples and the trunk become small.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from brew.compendium.rehearsal.layouts import LAYOUTS, WITHOUT_TENTH
from brew.compendium.scales import merge
from brew.errors import BrewError, unknown
from brew.evaluation.benchmarks import BENCHMARKS

#: The key of `data` that lists benchmarks.
_LISTED = "benchmarks"
#: The trunk of a kind that stands for all of its kind.
_TRUNKS = {"swin": "swin-nano", "vit": "vit-micro"}
_BATCH = 4
#: Images that a stage of its own compares, probes or centres on.
_IMAGES = 8
_OPTIMISATION = {"steps": 6, "hidden": 32, "width": 32, "checkpoint_every_s": 0}
_FIT = {"epochs": 1, "batch": 2}
_MINIATURE = {"pretrain": 16, "train": 8, "validation": 4, "test": 4}


def small(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a scale, merged, in small; BrewError for a source without a writer in LAYOUTS."""
    check_sources(whole["data"])
    changes = {
        "rehearsal": True,
        "data": _data(whole["data"]),
        "optical_teacher": _teachers(whole["optical_teacher"]),
        "pretraining": _pretraining(whole["pretraining"]),
        "evaluation": _evaluation(whole["evaluation"]),
        "similarity": {"test": _IMAGES, "train": _IMAGES, "halves": 8},
        "progress": {"probe": {"images": _IMAGES, "cells": 64 * _IMAGES}},
        "changes": {run: {} for run in whole["changes"]},
    }
    return merge({name: value for name, value in whole.items() if name != "scale"} | {"changes": {}}, changes)


def check_sources(data: Mapping[str, Any]) -> None:
    """BrewError for a source whose files a rehearsal cannot write."""
    for name in sources_of(data):
        if name != "miniature" and name not in LAYOUTS:
            raise BrewError(
                f"source {name!r} has no writer in brew/compendium/rehearsal/layouts.py; expected one of "
                f"{', '.join(LAYOUTS)}. Add a writer there, or leave the source out"
            )


def sources_of(data: Mapping[str, Any]) -> list[str]:
    """The sources of a scale's section `data`, which may be those of benchmarks."""
    own = [name for name, value in data.items() if name != _LISTED and value not in (None, False)]
    return [*own, *(BENCHMARKS[name].source for name in data.get(_LISTED, ()))]


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    """All samples that the layouts have; of the miniature a few."""
    changes: dict[str, Any] = {}
    if data.get("miniature"):
        changes["miniature"] = _MINIATURE
    if data.get("fmow"):
        changes["fmow"] = {"count": 0, "failures": 0}
    return changes


def _teachers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    learned = numbers["learned"]
    return {
        "centre_images": _IMAGES,
        "probe": {"train": _IMAGES, "validation": _IMAGES, "iterations": 10},
        "learned": {
            "batch": _BATCH, "optimisation": _OPTIMISATION, "views": _views(learned["views"]),
        },
    }  # fmt: skip


def _pretraining(numbers: Mapping[str, Any]) -> dict[str, Any]:
    kind = numbers["trunk"].partition("-")[0]
    return {
        "trunk": _TRUNKS[kind],
        "snapshots": min(numbers["snapshots"], 2),
        "feeds": [{**feed, "batch": _BATCH} | ({"rendered": 16} if feed.get("rendered") else {})
                  for feed in numbers["feeds"]],
        "optimisation": _OPTIMISATION,
        "views": _views(numbers["views"]),
    }  # fmt: skip


def _views(numbers: Mapping[str, Any]) -> dict[str, Any]:
    found = {"global_size": 32, "local_size": 16, "locals": min(numbers["locals"], 2), "blur_kernel": 5}
    return found | ({"mask_patch": 8} if "mask_patch" in numbers else {})


def _evaluation(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Every sample of the layouts, but for LEVIR-CD, whose one pair a split is sixteen tiles."""
    return {
        "decoders": 1,
        "siamese_networks": min(numbers["siamese_networks"], 1),
        "samples": {"rgb": list(WITHOUT_TENTH.values())},
        "segmentation": {"width": 8, "fit": _FIT},
        "change": {"width": 8, "fit": _FIT},
        "siamese": {"fit": _FIT},
    }


def cut(whole: Mapping[str, Any], benchmarks: Sequence[str], backbones: Sequence[str]) -> dict[str, Any]:
    """The parameters with the named benchmarks and backbones alone, and what pretraining reads; all if none is named.

    Raises BrewError for a name that the scale does not have.
    """
    data, changes = whole["data"], dict[str, Any]()
    if backbones:
        changes["backbones"] = _some(whole["backbones"], backbones, "backbone")
    if benchmarks:
        offered = [entry.name for entry in BENCHMARKS.values() if entry.source in sources_of(data)]
        kept = {BENCHMARKS[name].source for name in _some(offered, benchmarks, "benchmark")}
        kept |= {feed["source"] for feed in whole["pretraining"]["feeds"]}
        own = {
            name: False if data[name] is True else None
            for name in sources_of(data)
            if name in data and name not in kept
        }
        changes["data"] = own | {_LISTED: [name for name in data.get(_LISTED, ()) if name in benchmarks]}
    return merge(whole, changes)


def _some(known: Sequence[str], named: Sequence[str], kind: str) -> list[str]:
    for name in named:
        if name not in known:
            raise unknown(kind, name, known)
    return [name for name in known if name in named]
