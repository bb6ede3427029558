"""Stage `tables`: scores on file as the tables of the report, and the ledger of claims."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pandas as pd

from brew.compendium.report import ablation
from brew.compendium.report.chance import beside_chance, chance_replicates
from brew.compendium.report.claims import counted, found_scores, headline, ledger, obtain, read_claims
from brew.compendium.report.comparison import Scored, average_scores, low_data_table, rank_table, task_table
from brew.compendium.report.formatting import bold, brackets, leaves_out_zero, signed
from brew.compendium.report.gains import EXPLORATORY, difference_table
from brew.compendium.report.paper import AVERAGES, MODALITIES, TASKS, paper_benchmarks
from brew.compendium.report.site import ANSWER
from brew.compendium.report.style import label, write_caption
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.compendium.stages import Stage
from brew.compendium.stages.read_scores import all_scores, counts_of, scored
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.scores import write_scores
from brew.evaluation.zoo import BACKBONES as FOREIGN

#: The backbone that others are held against: the first row of the paper's ablation.
REFERENCE = "ms-only"
#: What every table of scores says of its cells.
_CELLS = (
    "In percent, mean over seeds, plus or minus the deviation over seeds where there are several; in brackets the 95 % "
    "interval over test samples (whole scenes where scenes are tested, approximate for few), resampled jointly for all "
    "backbones with the seeds averaged. Bold: the best, if its difference to every other lies outside its own interval."
)
_LISTED = "name it in the scale's parameter `backbones`"


def begin(stage: Stage) -> Scored:
    """What was scored, with what is claimed and what could have been compared."""
    return replace(scored(stage), claims=read_claims(), compared=tuple(FOREIGN))


def scores(stage: Stage) -> pd.DataFrame:
    """Every score of the scale in one tidy file, with what it was made from."""
    path = stage.layout.write("tables") / "scores.csv"
    path.unlink(missing_ok=True)
    write_scores(path, all_scores(stage))
    write_caption(path, "Every score: settings, seed, share of the labels, and hashes of model, data and environment.")
    return pd.read_csv(path)


def task(stage: Stage, here: Scored, name: Task) -> pd.DataFrame | None:
    """Table 1, 2 or 3 over the benchmarks of this scale, with averages; None where it has none of that task."""
    mine = [each for each in benchmarks_in(here.summary) if BENCHMARKS[each].task == name]
    if not mine:
        return None
    about = "; ".join(f"{each}: {BENCHMARKS[each].summary}" for each in mine)
    caption = f"{name.capitalize()} with frozen backbones under one protocol. {_CELLS} {about}."
    return _write(stage, name, task_table(here, name, mine), caption)


def paper_task(stage: Stage, here: Scored, name: Task) -> pd.DataFrame:
    """Table 1, 2 or 3 in the paper's form: its thirteen benchmarks, its models beside ours, and what it states."""
    caption = (
        f"The paper's table {TASKS.index(name) + 1}: {name} on its benchmarks. {_CELLS} After a score, what the paper "
        "states for the row's model, with a question mark where only notes state it. What a cell that was not run "
        "needs stands in the table of needs."
    )
    return _write(stage, f"paper-{name}", task_table(here, name, paper_benchmarks(), True), caption)


def ranks(stage: Stage, here: Scored, paper: bool = False) -> pd.DataFrame | None:
    """Table 4: average ranks over the benchmarks of this scale, or over those of the paper's that were run."""
    names = paper_benchmarks() if paper else benchmarks_in(here.summary)
    table, ranked = rank_table(here, names)
    if not ranked:
        return None
    absent = [name for name in names if name not in ranked]
    caption = (
        f"Average ranks over {', '.join(ranked)}; 1 is the best, ties share their ranks. The interval is made by "
        "ranking anew within each of 2000 bootstrap replicates of the test samples, drawn jointly for all backbones, "
        "seeds averaged: it says how firm an order is on these benchmarks, nothing about others."
        + (f" Not run, so not ranked: {', '.join(absent)}." if absent else "")
    )
    return _write(stage, "paper-ranks" if paper else "ranks", table, caption)


def differences(stage: Stage, here: Scored) -> pd.DataFrame:
    """Every backbone less the reference, on paired replicates."""
    caption = (
        f"Primary score of every backbone less that of {label(REFERENCE)}, in points, with the 95 % interval of the "
        "paired difference: both on the same replicates of test samples, averaged over the seeds that both have, or "
        "over all where there is no decoder on features. Bold: the interval leaves out 0."
    )
    return _write(stage, "differences", difference_table(here, REFERENCE, benchmarks_in(here.summary)), caption)


def arms(stage: Stage, here: Scored, paper: bool = False) -> pd.DataFrame:
    """Table 5, the ablation: over the benchmarks of this scale, or in the paper's form with what it states."""
    if paper:
        table = ablation.paper_ablation_table(here, paper_benchmarks())
        caption = (
            "The paper's table 5: its cumulative rows, in the mean over its optical, its multispectral and all of its "
            f"segmentation benchmarks. {_CELLS} After a score, what the paper states, with a question mark where only "
            "notes state it."
        )
        return _write(stage, "paper-ablation", table, caption)
    caption = (
        f"The ablation: the paper's six cumulative rows, then arms beside the paper. {_CELLS} A mean is over the "
        "benchmarks of its modality, whatever their task; its deviation is over seeds of pretraining. An arm that was "
        f"pretrained once is {EXPLORATORY}: its intervals say nothing about another seed."
    )
    return _write(stage, "ablation", ablation.ablation_table(here, benchmarks_in(here.summary)), caption)


def gains(stage: Stage, here: Scored) -> pd.DataFrame:
    """Arm by arm, what it gains over the references on optical and on multispectral benchmarks; DEO's also in words."""
    found = ablation.arm_gains(here, benchmarks_in(here.summary))
    (stage.layout.write("tables") / ANSWER).write_text(ablation.in_words(found), encoding="utf-8")
    table = ablation.gains_table(found)
    references = ", ".join(label(name) for name in table["less"].unique())
    caption = (
        f"Gain of every arm over what learns without an optical teacher ({references}), in points, in the mean over "
        "the optical and over the multispectral benchmarks of this scale, and the seeds that both were pretrained "
        "with. Two doubts, apart: over test samples, the 95 % interval of the difference on the same bootstrap "
        "replicates, these seeds averaged; over seeds, Student's 95 % interval of the differences of paired seeds of "
        "pretraining, and the smallest true difference that so many seeds would detect four times out of five. With "
        f"one seed a gain is {EXPLORATORY}. Bold: the interval leaves out 0; nothing is corrected for the number of "
        "comparisons. Arms that were not run stand in the ablation alone."
    )
    return _write(stage, "gains", table, caption)


def few_labels_gains(stage: Stage, here: Scored) -> pd.DataFrame | None:
    """The same gains from shares of the training labels; None where nothing was scored from any."""
    table = ablation.few_labels_gains_table(here, benchmarks_in(here.summary))
    if table.empty:
        return None
    caption = (
        "Few labels: gain of every arm over the same references where decoders and probes were trained on a share of "
        "the labels, drawn anew for each seed. In points, both doubts apart, as in the table of gains; an arm that was "
        "pretrained once is held against others on its one draw of the labels. Of one or two labelled samples little "
        "can be learned."
    )
    return _write(stage, "low-data-gains", table, caption)


def teachers(stage: Stage, here: Scored) -> pd.DataFrame | None:
    """What each teacher brings, benchmark by benchmark, after what they live on; None where no contrast was run."""
    names = benchmarks_in(here.summary)
    run = ablation.contrasts_run(here, names)
    if not run:
        return None
    brought = "; ".join(f"{each.title}: {each.brings}" for each in run)
    absent = "; ".join(each.title for each in ablation.CONTRASTS if each not in run)
    caption = (
        f"What each teacher brings, in points, by what tells a benchmark's classes apart. {brought}. The 95 % "
        "interval is over test samples, on the same replicates; where both arms were pretrained several times, one "
        f"seeds follows, else a difference is {EXPLORATORY}. Bold: the interval leaves out 0."
        + (f" Not run: {absent}." if absent else "")
    )
    return _write(stage, "teachers", ablation.teachers_table(here, names), caption)


def alignment(stage: Stage) -> pd.DataFrame | None:
    """Alignment of students and optical teacher, layer by layer, from what the alignment stage left; None without."""
    found = pd.read_csv(stage.layout.read("alignment") / "alignment.csv")
    if found.empty:
        return None
    rows = []
    for (teacher, token, arm), runs in found.groupby(["teacher", "token", "backbone"], sort=False):
        for measure in ("cka", "cosine"):
            cells = {f"stride {stride}": _aligned(each, measure) for stride, each in runs.groupby("stride")}
            student = {"teacher": teacher, "token": token, "student": label(str(arm)), "seeds": runs["seed"].nunique()}
            rows.append({**student, "measure": measure, **cells})
    caption = (
        "Alignment of each layer of the student with an optical teacher's class token and late and middle patches on "
        f"{found['images'].iloc[0]} optical test images: debiased linear CKA, and the mean cosine through a ridge map "
        "fitted on training images, both sides less their mean there. In brackets the 95 % interval over images; of "
        "several seeds of pretraining the mean, plus or minus their deviation."
    )
    return _write(stage, "alignment", pd.DataFrame(rows), caption)


def _aligned(runs: pd.DataFrame, measure: str) -> str:
    """One layer: of one seed with its interval, of several with their deviation."""
    if len(runs) > 1:
        return f"{runs[measure].mean():.2f} +/- {runs[measure].std(ddof=1):.2f}"
    (run,) = runs.to_dict("records")
    return f"{run[measure]:.2f} [{run[measure + ' low']:.2f}, {run[measure + ' high']:.2f}]"


def alignment_differences(stage: Stage) -> pd.DataFrame | None:
    """How much closer to its teacher a student comes by contrast than by masked image modelling; None without pairs."""
    found = pd.read_csv(stage.layout.read("alignment") / "differences.csv")
    if found.empty:
        return None
    rows = []
    for keys, lines in found.groupby(["teacher", "token", "arm", "less", "measure"], sort=False):
        cells = {f"stride {line['stride']}": _closer(line) for line in lines.to_dict("records")}
        rows.append(dict(zip(("teacher", "token", "arm", "less", "measure"), keys, strict=True)) | cells)
    caption = (
        "Does a student align better that learns by contrast? Alignment of the contrastive arm less that of the masked "
        "one, mean over the seeds of pretraining that both share. In brackets the 95 % interval over images, both on "
        "the same halves; after a semicolon Student's over seeds, where there are several; one seed is "
        f"{EXPLORATORY}. Bold: that interval leaves out 0, over seeds where there are several."
    )
    return _write(stage, "alignment-differences", pd.DataFrame(rows), caption)


def _closer(line: dict[Hashable, Any]) -> str:
    text = signed(line["difference"], line["low"], line["high"], digits=2)
    if line["seeds"] < 2:
        return bold(text, leaves_out_zero(line["low"], line["high"], digits=2))
    seeds = line["low over seeds"], line["high over seeds"]
    return bold(f"{text}; {line['seeds']} seeds {brackets(*seeds, digits=2)}", leaves_out_zero(*seeds, digits=2))


def progress(stage: Stage) -> pd.DataFrame | None:
    """What the arms gained along their training, from what stage `progress` left; None where none was kept."""
    found = pd.read_csv(stage.layout.read("progress") / "summary.csv", dtype=str)
    if found.empty:
        return None
    caption = (
        "What an arm gained along its training, in points of a linear reading of frozen features on validation images, "
        "mean over the benchmarks of a modality and over seeds of pretraining; in brackets Student's 95 % interval "
        "over seeds. At rest: the last third brought no more than one point, as the whole interval says."
    )
    return _write(stage, "progress", found, caption)


def progress_by_benchmark(stage: Stage) -> pd.DataFrame | None:
    """The same benchmark by benchmark, with the interval over images; None where none was kept."""
    found = pd.read_csv(stage.layout.read("progress") / "gains.csv")
    if found.empty:
        return None
    points = (100 * found[["gain", "low", "high"]]).to_numpy()
    cells = [signed(*each) for each in points]
    keys = ["benchmark", "arm", "seed"]
    titles = {"untrained": "over the untrained trunk", "two thirds": "in the last third"}
    table = found.assign(cell=cells, since=found["since"].map(titles), arm=found["arm"].map(label))
    table = table.pivot(index=keys, columns="since", values="cell").reset_index()
    caption = (
        "Gain of a linear reading of frozen features on validation images, in points, run by run: over the untrained "
        "trunk, and in the last third of the steps. In brackets the 95 % interval of the difference over images."
    )
    return _write(stage, "progress-by-benchmark", table, caption)


def low_data(stage: Stage, here: Scored, paper: bool = False) -> pd.DataFrame | None:
    """Table 7: benchmarks from all training labels and from a share of them; None where there is none.

    paper: over the paper's benchmarks, with what it states; else over those of this scale.
    """
    names = paper_benchmarks() if paper else benchmarks_in(here.summary)
    table = low_data_table(here, names, paper)
    if table.empty:
        return None
    caption = f"Few labels: primary score from all training labels and from shares of them, per benchmark. {_CELLS}"
    return _write(stage, "paper-low-data" if paper else "low-data", table, caption)


def needs(stage: Stage, here: Scored) -> pd.DataFrame:
    """What the cells need that were not run, weights and data, and what no run of a backbone could be compared on."""
    run = {name for replicates in here.replicates.values() for name in replicates}
    run |= {stage.settings.teacher} if "teacher" in run else set()  # it stands there under that name
    weights = [(label(name), "weights", FOREIGN[name].needs() or _LISTED) for name in in_order(set(FOREIGN) - run)]
    bands = [
        (label(name), "bands", f"nothing: not comparable on sensor {sensor!r}, since {why}")
        for name, entry in FOREIGN.items()
        for sensor in dict.fromkeys(each.sensor for each in BENCHMARKS.values() if each.modality in MODALITIES)
        if (why := entry.lacking(sensor))
    ]
    data = [(name, "data", obtain(name)) for name in paper_benchmarks() if not here.of(name)]
    table = pd.DataFrame(weights + bands + data, columns=["not run", "kind", "needs"])
    return _write(stage, "needs", table, "What was not run at this scale, and what it needs.")


def change_by_city(stage: Stage) -> pd.DataFrame | None:
    """F1 of OSCD for every test city, pooled with and without saclay_w, and the mean over cities; None without OSCD."""
    rows = [score for score in all_scores(stage) if score.benchmark == "oscd" and score.label_fraction == 1]
    if not rows:
        return None
    frame = pd.DataFrame(
        [{"backbone": s.arm, "metric": s.metric, "subset": s.subset, "value": 100 * s.value} for s in rows]
    )
    pooled = {"f1": "F1", "precision": "precision", "recall": "recall", "f1_scene_mean": "mean city F1"}
    parts = {}
    for metric, title in pooled.items():
        for subset in ("all", "without saclay_w"):
            chosen = frame[(frame["metric"] == metric) & (frame["subset"] == subset)]
            parts[title if subset == "all" else f"{title} without saclay_w"] = _over_runs(chosen)
    cities = frame[(frame["metric"] == "f1") & ~frame["subset"].isin(["all", "without saclay_w"])]
    parts |= {str(city): _over_runs(values) for city, values in cities.groupby("subset")}
    table = pd.DataFrame(parts).reindex(in_order(frame["backbone"]))
    table = table.rename(index=label).T.rename_axis("OSCD").reset_index()
    caption = (
        "OSCD, official test cities, in percent, mean over seeds, plus or minus their deviation. First from counts "
        "pooled over the cities (primary), with and without saclay_w, which shares an edge with a training city; then "
        "each city's F1."
    )
    return _write(stage, "oscd-cities", table, caption)


def _over_runs(scores: pd.DataFrame) -> pd.Series:
    return scores.groupby("backbone")["value"].agg(
        lambda runs: f"{runs.mean():.1f}" + (f" +/- {runs.std():.1f}" if len(runs) > 1 else "")
    )


def radar(stage: Stage, here: Scored) -> pd.DataFrame | None:
    """What is learned of radar, beside chance and the untrained trunk; None where no radar was scored."""
    parts = []
    for name in (each for each in benchmarks_in(here.summary) if BENCHMARKS[each].modality == "radar"):
        guesses = chance_replicates(BENCHMARKS[name], counts_of(stage, name))
        part = beside_chance(here.of(name), guesses, here.spread(name))
        part.insert(0, "benchmark", name)
        parts.append(part)
    if not parts:
        return None
    caption = (
        "Radar: test score of a decoder on frozen features, beside a map that guesses from the classes' frequencies in "
        "the test and beside the untrained trunk. In brackets 95 % intervals over test samples, of differences on the "
        "same replicates, decoder seeds averaged. Bold: the interval leaves out 0. What a linear reading finds in the "
        "features stands in the table of progress."
    )
    return _write(stage, "radar", pd.concat(parts, ignore_index=True), caption)


def paired(stage: Stage) -> pd.DataFrame | None:
    """The paired differences that the change stage left; None where the reference was not run on change."""
    table = pd.read_csv(stage.layout.read("change") / "differences.csv", keep_default_na=False)
    if table.empty:
        return None
    caption = (
        "Change detection: F1 of every backbone less that of `ms-only` on the same test scenes. The interval resamples "
        "whole scenes jointly for both (approximate for ten cities); p is exact over all exchanges of the two in any "
        "subset of the scenes, first seed, where they are few."
    )
    return _write(stage, "change-differences", table, caption)


def claims(stage: Stage, here: Scored) -> pd.DataFrame:
    """The ledger: every claim with what this scale can say to it."""
    averages = average_scores(here, paper_benchmarks(), AVERAGES.values())
    weights = {name: entry.needs() for name, entry in FOREIGN.items()}
    found = found_scores(here.summary, averages)
    table = ledger(here.claims, found, stage.settings.scale.name, weights)
    _write(stage, "ledger", table, headline(table))
    caption = f"Claims about the method and its like by table and verdict. {headline(table)}"
    return _write(stage, "claims", counted(table), caption)


def _write(stage: Stage, name: str, table: pd.DataFrame, caption: str) -> pd.DataFrame:
    path = stage.layout.write("tables") / f"{name}.csv"
    table.to_csv(path, index=False)
    write_caption(path, caption)
    return table
