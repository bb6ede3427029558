"""Stage `figures`: scores and histories on file as the figures of the report."""

from collections import Counter
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from brew.compendium.report.ablation import GROUPS, arm_gains, by_kind, contrasted, contrasts_run
from brew.compendium.report.comparison import missing
from brew.compendium.report.crowding import left_out_note, left_to_tables
from brew.compendium.report.gains import Gain, gain
from brew.compendium.report.joint import average, interval
from brew.compendium.report.point_labels import label_points
from brew.compendium.report.style import colour, label, save
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage
from brew.compendium.stages.read_scores import scored
from brew.evaluation.benchmarks import BENCHMARKS

#: Panels beside one another.
_ACROSS = 3
#: How a difference is drawn.
_GAIN = (
    "Thin bars are 95 % intervals over test samples, thick ones over paired seeds of pretraining; an open marker is "
    "one seed, so exploratory."
)
#: Of contrasts in the order of the legend: several may share a reference, and so its colour.
_MARKERS = "osD^vPX<>*"
#: Points up to which differences are drawn to scale: one of many that is huge would hide the others.
_LINEAR = 10
_TICKS = (-50, -20, -10, -5, 0, 5, 10, 20, 50)
#: Points that are named where they stand; of more, each gets a number.
_NAMED = 10


def scores(stage: Stage) -> Figure:
    """Every backbone on every benchmark: score and interval over test samples; single seeds as ticks where several."""
    table = scored(stage).summary
    table = table[table["label_fraction"] == 1]
    names, shown = benchmarks_in(table), in_order(table["backbone"])[::-1]
    figure, axes = _panels(len(names), height=0.26 * len(shown) + 0.9, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        _score_panel(axis, table[table["benchmark"] == name].set_index("backbone"), name, shown)
    caption = (
        "Scores of every backbone under one protocol; bars are 95 % intervals over test samples, dots "
        " the mean over seeds, ticks below them single seeds where there are several. "
        + "; ".join(f"{name}: {BENCHMARKS[name].summary}" for name in names)
        + "."
    )
    save(figure, stage.layout.write("figures") / "scores.png", caption)
    return figure


def _panels(count: int, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """As many panels as asked for, `_ACROSS` in a row. height: of one, in inches."""
    across = min(_ACROSS, count)
    down = -(-count // across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.1 * across + 1.6, height * down), sharey=sharey, layout="constrained", squeeze=False
    )
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, list(axes.flat[:count])


def _score_panel(axis: Axes, part: pd.DataFrame, name: str, shown: list[str]) -> None:
    benchmark = BENCHMARKS[name]
    for place, arm in enumerate(shown):
        if arm not in part.index:
            place_of = axis.get_yaxis_transform()
            text = missing(arm, benchmark.task, benchmark.sensor)
            axis.text(0.02, place, text, transform=place_of, va="center", fontsize=8, color="0.6")
            continue
        row = part.loc[arm]
        axis.plot([row["low"], row["high"]], [place, place], color=colour(arm), lw=2, alpha=0.6)
        axis.plot(row["score"], place, "o", color=colour(arm), ms=6)
        if row["seeds"] > 1:
            axis.plot(row["values"], [place - 0.25] * row["seeds"], "|", color=colour(arm), ms=5)
    axis.set(title=name, xlabel=f"{_metric(name)} (%)", yticks=range(len(shown)), ylim=(-0.6, len(shown) - 0.4))
    axis.set_yticklabels([label(arm) for arm in shown], fontsize=9)
    axis.grid(axis="x", color="0.92")


def _metric(benchmark: str) -> str:
    return BENCHMARKS[benchmark].metric.replace("_", " ")


def low_data(stage: Stage) -> Figure | None:
    """Score against the share of the training labels, where a benchmark was scored from several; None without any."""
    table = scored(stage).summary
    table = table[table["benchmark"].isin(table.loc[table["label_fraction"] < 1, "benchmark"])]
    if table.empty:
        return None
    left_out = table["backbone"].isin(left_to_tables(stage.settings))
    arms = table["backbone"].isin([arm_and_seed(run)[0] for run in stage.settings.arms])
    read_by_others = set(table.loc[arms & ~left_out, "benchmark"])  # else nothing would be left but the random trunk
    table = table[~left_out | ~table["benchmark"].isin(read_by_others)]
    names = benchmarks_in(table)
    figure, axes = _panels(len(names), height=2.9)
    for axis, name in zip(axes, names, strict=True):
        part = table[table["benchmark"] == name]
        for arm in in_order(part["backbone"]):
            line = part[part["backbone"] == arm].sort_values("label_fraction")
            share = 100 * line["label_fraction"]
            axis.fill_between(share, line["low"], line["high"], color=colour(arm), alpha=0.12, lw=0)
            axis.plot(share, line["score"], "o-", color=colour(arm), ms=4, lw=1.5, label=label(arm))
        ticks = sorted(100 * part["label_fraction"].unique())
        axis.set(title=name, xscale="log", xlabel="training labels (%)", ylabel=f"{_metric(name)} (%)", xticks=ticks)
        axis.set_xticklabels([f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    handles = {text: line for axis in axes for line, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    caption = (
        "Score against the share of the training labels: lines the mean over seeds, bands the 95 % interval over test "
        "samples. Backbones with one share alone are dots."
    )
    if note := left_out_note(stage.settings):
        caption += f"{note} They are drawn only where no other arm was scored."
    save(figure, stage.layout.write("figures") / "low-data.png", caption)
    return figure


def gains(stage: Stage) -> Figure | None:
    """What every arm gains over each reference on either kind of benchmark; None where no reference was run."""
    here = scored(stage)
    found = arm_gains(here, benchmarks_in(here.summary))
    if not found:
        return None
    references = list(dict.fromkeys(each.reference for each in found))
    arms = in_order({each.arm for each in found} | set(references))[::-1]
    figure, axes = plt.subplots(
        len(references), len(GROUPS), figsize=(9.6, len(references) * (0.9 + 0.26 * len(arms))), sharey=True,
        sharex="col", layout="constrained", squeeze=False,
    )  # fmt: skip
    for (row, reference), (column, title) in product(enumerate(references), enumerate(GROUPS)):
        axis = axes[row, column]
        for each in found:
            shown = each.by_group[title]
            if each.reference == reference and shown is not None:
                _gain(axis, shown, float(arms.index(each.arm)), colour(each.arm))
        axis.text(0, arms.index(reference), " reference", va="center", fontsize=8, color="0.5")
        axis.axvline(0, color="0.4", lw=0.8)
        axis.set_yticks(range(len(arms)), [label(arm) for arm in arms], fontsize=9)
        axis.set(ylim=(-0.6, len(arms) - 0.4), xlabel="points" if row + 1 == len(references) else "")
        axis.set_title(f"{title} benchmarks, gain over\n{label(reference)}", loc="left", fontsize=9)
        axis.grid(axis="x", color="0.92")
    caption = (
        "Gain of every arm in the mean primary score over the optical and over the multispectral benchmarks, over "
        f"what learns without an optical teacher: {', '.join(map(label, references))}. {_GAIN}"
    )
    save(figure, stage.layout.write("figures") / "gains.png", caption)
    return figure


def teachers(stage: Stage) -> Figure | None:
    """What each teacher brings, benchmark by benchmark, after what they live on; None where no contrast was run."""
    here = scored(stage)
    names = contrasted(here, benchmarks_in(here.summary))
    contrasts, kinds = contrasts_run(here, names), by_kind(names)
    if not contrasts:
        return None
    figure, axes = plt.subplots(
        len(kinds), 1, figsize=(7.2, 1.9 + 0.24 * len(names) * (1 + len(contrasts))), sharex=True, layout="constrained",
        height_ratios=[len(members) for members in kinds.values()], squeeze=False,
    )  # fmt: skip
    signs = [(colour(each.reference), _MARKERS[place]) for place, each in enumerate(contrasts)]
    for axis, (kind, members) in zip(axes[:, 0], kinds.items(), strict=True):
        for (place, name), (row, contrast) in product(enumerate(members), enumerate(contrasts)):
            found = gain(here, [name], contrast.arm, contrast.reference)
            if found:
                _gain(axis, found, place + 0.7 * ((row + 0.5) / len(contrasts) - 0.5), *signs[row])
        axis.axvline(0, color="0.4", lw=0.8)
        axis.set_yticks(range(len(members)), members, fontsize=9)
        axis.set(ylim=(len(members) - 0.5, -0.5))
        axis.set_title(kind, loc="left")
        axis.grid(axis="x", color="0.92")
        axis.set_xscale("symlog", linthresh=_LINEAR)
        axis.xaxis.set_major_locator(FixedLocator(_TICKS))
        axis.xaxis.set_major_formatter("{x:g}")
    axes[-1, 0].set_xlabel("difference of the primary score (points)")
    handles = [Line2D([], [], color=shade, marker=marker, lw=2) for shade, marker in signs]
    figure.legend(handles, [each.title for each in contrasts], loc="outside lower center", fontsize=9)
    caption = (
        "What each teacher brings, by what tells a benchmark's classes apart: differences between two arms on the same "
        f"test samples, in the colour of the second. {_GAIN} Beyond {_LINEAR} points the axis is logarithmic."
    )
    save(figure, stage.layout.write("figures") / "teachers.png", caption)
    return figure


def _gain(axis: Axes, found: Gain, place: float, shade: str, marker: str = "o") -> None:
    axis.plot([found.low, found.high], [place, place], color=shade, lw=1.2)
    if not found.exploratory:
        axis.plot([found.over_seeds.low, found.over_seeds.high], [place, place], color=shade, lw=4, alpha=0.5)
    axis.plot(found.points, place, marker, color=shade, ms=6, mfc="white" if found.exploratory else shade)


def models(stage: Stage) -> Figure | None:
    """The paper's first figure: mean optical against mean multispectral score, marked by size; None without both."""
    here = scored(stage)
    members = [group.members(benchmarks_in(here.summary)) for group in GROUPS.values()]
    across, up = (average([here.of(name) for name in names]) for names in members)
    file = stage.layout.read("alignment") / "parameters.csv"
    sizes = dict(pd.read_csv(file).itertuples(index=False))
    shown = [name for name in in_order(across.keys() & up.keys()) if name in sizes]
    if not shown:
        return None
    many = len(shown) > _NAMED
    figure, axis = plt.subplots(figsize=(10.5, 7.5) if many else (7.2, 5.2), layout="constrained")
    for name in shown:
        x, y, shade = across[name], up[name], colour(name)
        axis.plot(interval(x), [y[0]] * 2, color=shade, lw=1, alpha=0.6)
        axis.plot([x[0]] * 2, interval(y), color=shade, lw=1, alpha=0.6)
        axis.scatter(x[0], y[0], s=_area(sizes[name]), color=shade, edgecolor="white", lw=0.6, zorder=3)
    axis.set(xlabel=_mean_of("optical", members[0]), ylabel=_mean_of("multispectral", members[1]))
    axis.grid(color="0.92")
    axis.margins(x=0.15)
    texts = [f"{label(name)}, {_millions(sizes[name])}" for name in shown]
    if many:  # names would cover each other: numbers stand for them
        numbers = [str(number) for number in range(1, len(shown) + 1)]
        handles = [Line2D([], [], marker="o", ls="", color=colour(name)) for name in shown]
        legend = [f"{number}  {text}" for number, text in zip(numbers, texts, strict=True)]
        figure.legend(handles, legend, loc="outside right center", fontsize=8)
        texts = numbers
    label_points(figure, axis, [(across[name][0], up[name][0]) for name in shown], texts, list(map(colour, shown)))
    caption = (
        f"Every backbone's mean primary score over the optical ({', '.join(members[0])}) and over the multispectral "
        f"benchmarks ({', '.join(members[1])}); the area of a marker grows with the network's number of parameters. "
        "Crosses are 95 % intervals over test samples, seeds averaged."
    )
    save(figure, stage.layout.write("figures") / "models.png", caption)
    return figure


def _area(parameters: int) -> float:
    """Of a marker, in square points: in proportion to the parameters, above what is still seen."""
    return 12 + 16 * parameters / 1e6


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters else "no parameters"


def _mean_of(modality: str, names: list[str]) -> str:
    return f"mean score on {len(names)} {modality} benchmarks (%)"


def losses(stage: Stage) -> Figure:
    """What every arm maximises, by name, over its steps; arms that share a similarity share a panel."""
    files = {run: stage.layout.read(f"pretrain/{run}") / "history.csv" for run in stage.settings.arms}
    arms = {run: arm_and_seed(run)[0] for run in files}
    left_out = left_to_tables(stage.settings)
    histories = {run: pd.read_csv(file) for run, file in files.items() if file.exists() and arms[run] not in left_out}
    times = Counter(arms[run] for run in histories)
    named = list(dict.fromkeys(column for frame in histories.values() for column in frame if "/" in column))
    columns = min(5, len(named))
    rows = -(-len(named) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.7 * columns, 2.4 * rows + 0.4), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes.flat, named, strict=False):
        for run, frame in histories.items():
            if column in frame:
                smooth = frame[column].rolling(max(1, len(frame) // 50), min_periods=1).mean()
                axis.plot(frame["step"], smooth, color=colour(arms[run]), lw=1.5 if times[arms[run]] == 1 else 0.7)
        axis.set(title=column, xlabel="step")
        axis.tick_params(labelbottom=True)
    for axis in axes.flat[len(named) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("similarity")
    handles = [Line2D([], [], color=colour(arm)) for arm in times]
    figure.legend(handles, [label(arm) for arm in times], loc="outside lower center", ncols=4)
    caption = "Pretraining: every similarity that an arm maximises, by name, smoothed over 2 % of the steps." + (
        " Thin lines of one colour are the seeds of one arm." if max(times.values(), default=0) > 1 else ""
    )
    caption += left_out_note(stage.settings)
    save(figure, stage.layout.write("figures") / "training.png", caption)
    return figure
