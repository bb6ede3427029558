"""What every arm gains over the references: from all training labels, and from a share of them."""

from collections.abc import Sequence
from itertools import product

import pandas as pd

from brew.compendium.report.arm_gains import GROUPS, ArmGains, arm_gains
from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.columns import share
from brew.compendium.report.gain_cells import BOLD, DOUBTS, parts
from brew.compendium.report.gains import EXPLORATORY, Family, family
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in


def gains(found: Sequence[ArmGains]) -> CaptionedTable:
    """Arm by arm, what it gains over the references on optical and on multispectral benchmarks."""
    table = gains_table(found)
    references = ", ".join(label(name) for name in table["less"].unique())
    caption = (
        f"The table shows the gain of every arm over what learns without an optical teacher ({references}), in points. "
        "It is taken in the mean over the optical and over the multispectral benchmarks of this scale, and over the "
        "seeds that both were pretrained with. Two doubts stand apart. Over test samples, the 95 % interval is that of "
        "the difference on the same bootstrap replicates, these seeds averaged. Over seeds, it is Student's 95 % "
        "interval of the differences of paired seeds of pretraining. Beside it stands the smallest true difference "
        f"that so many seeds would detect four times out of five. With one seed a gain is {EXPLORATORY}. {BOLD} Each "
        "mean stands with its benchmarks beside it. Arms that were not run stand in the ablation alone."
    )
    return CaptionedTable("gains", table, caption)


def few_labels_gains(scored: Scored) -> CaptionedTable | None:
    """The same gains from shares of the training labels; None if nothing was scored from any."""
    table = few_labels_gains_table(scored, benchmarks_in(scored.summary))
    if table.empty:
        return None
    caption = (
        "The table shows the gain of every arm over the same references from few labels: decoders and probes were "
        "trained on a share of the labels, drawn anew for each seed. Gains are in points, both doubts apart, as in the "
        "table of gains. An arm that was pretrained once is held against others on its one draw of the labels. Of one "
        "or two labelled samples little can be learned."
    )
    return CaptionedTable("low-data-gains", table, caption)


def gains_table(gains: Sequence[ArmGains]) -> pd.DataFrame:
    """Every arm that was run, less each reference, in the mean over optical and over multispectral benchmarks."""
    columns = [f"{title}, {column}" for title, column in product(GROUPS, _COLUMNS)]
    told = _family(gains)
    return pd.DataFrame([_written(each, told) for each in gains], columns=["arm", "less", *columns])


def few_labels_gains_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """The same from every share of the labels, over the benchmarks that were scored from it; empty without any."""
    fractions = sorted({fraction for _, fraction in scored.runs if fraction < 1}, reverse=True)
    rows = [(fraction, each) for fraction in fractions for each in arm_gains(scored, names, fraction)]
    told = _family([each for _, each in rows])
    return pd.DataFrame([
        {"label fraction": share(at), **_written(each, told), "labelled samples": _labelled(scored, each.names, at)}
        for at, each in rows
    ])  # fmt: skip


def _labelled(scored: Scored, names: Sequence[str], label_fraction: float) -> str:
    sizes = {name: scored.labelled.get((name, label_fraction)) for name in names}
    return ", ".join(name if size is None else f"{name} {size}" for name, size in sizes.items())


#: What a table says of the gain on a group of benchmarks.
_COLUMNS = (*(f"over {doubt}" for doubt in DOUBTS), "by benchmark")


def _family(gains: Sequence[ArmGains]) -> Family:
    return family([gain for each in gains for gain in each.by_group.values()])


def _written(each: ArmGains, told: Family) -> dict[str, str]:
    cells = {
        f"{title}, {column}": text
        for title, found in each.by_group.items()
        for column, text in zip(
            _COLUMNS, (*(write(found, told) for write in DOUBTS.values()), parts(found)), strict=True
        )
    }
    return {"arm": each.arm, "less": each.reference, **cells}
