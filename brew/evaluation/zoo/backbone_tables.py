"""The tables of docs/backbones.md, from BACKBONES: a contract is written once, in code, and read in both places."""

from collections.abc import Iterator

from brew.evaluation.page_tables import TablePlace, table
from brew.evaluation.zoo.contract import Inputs
from brew.evaluation.zoo.entry import BackboneEntry
from brew.evaluation.zoo.table import BACKBONES
from brew.files import ROOT

PLACE = TablePlace(ROOT / "docs" / "backbones.md", "<!-- from BACKBONES -->", "<!-- end -->")


def tables() -> str:
    """Two tables in Markdown: the backbones, and the numbers of their contracts."""
    return "\n\n".join((
        table(("name", "images are resized to", "weights", "licence"), map(_row, BACKBONES.values())),
        table(("name", "unit", "a band that is absent", "bands, in order: mean and deviation", "source"), _numbers()),
    ))  # fmt: skip


def _row(entry: BackboneEntry) -> tuple[str, ...]:
    weights, licence = (entry.weights.source, entry.weights.licence) if entry.weights else ("none", "")
    sizes = "their own; trained whole" if entry.supervised else entry.sizes
    return f"`{entry.name}`", sizes, weights, licence


def _numbers() -> Iterator[tuple[str, ...]]:
    """One row per unit and contract, with the names of all that share it; none for a unit that is not read."""
    for unit, kind in (("digital number", "sentinel2"), ("8 bits", "rgb")):
        rows: dict[tuple[str, ...], list[str]] = {}
        for entry in BACKBONES.values():
            inputs = getattr(entry.contract, kind)
            if inputs is not None:
                row = _unit(unit, inputs), _absent(inputs), _bands(inputs), inputs.source
                rows.setdefault(row, []).append(f"`{entry.name}`")
        yield from ((", ".join(names), *row) for row, names in rows.items())


def _unit(unit: str, inputs: Inputs) -> str:
    whites = list(dict.fromkeys(inputs.white))
    scaled = unit if whites == [1.0] else f"{unit} over {' or '.join(f'{white:g}' for white in whites)}"
    return f"{scaled}, cut to [0, 1]" if inputs.cut else scaled


def _absent(inputs: Inputs) -> str:
    filled = "".join(f"{band} = {value:g}; " for band, value in inputs.fill.items())
    return filled + {"refuse": "error", "leave out": "left out"}[inputs.missing]


def _bands(inputs: Inputs) -> str:
    if inputs.mean is None or inputs.std is None:
        statistics = "each image's own" if inputs.per_image else "none"
        return f"{', '.join(inputs.bands)}: {statistics}"
    numbers = zip(inputs.bands, inputs.mean, inputs.std, strict=True)
    return ", ".join(f"{band} {mean:.5g} / {std:.5g}" for band, mean, std in numbers)
