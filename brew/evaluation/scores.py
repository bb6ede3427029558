"""Scores as tidy rows, with the counts that they come from beside them.

One row per benchmark, task, metric, arm, seed, decoder, share of the training labels, subset, protocol and reading.
Files are the same
bytes whatever the order of writing: rows are sorted, a row of the same identity is replaced, numbers have ten
significant digits, and no time is recorded.
Counts per test sample go to one NPZ per arm, from which every interval can be computed again.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from brew.errors import BrewError
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.metrics import metric
from brew.evaluation.protocols import BATCHES, COMMON, IMAGES, OVER, PROTOCOLS, SET
from brew.evaluation.statistics import Interval, bootstrap, mean_of_units, unit_values
from brew.files import write_bytes


@dataclass(frozen=True)
class Score:
    """One number. label_fraction: the share of the training labels that was used, 1 for all.

    seed: of the pretraining. decoder: which of the decoders on this one backbone, from 0.
    protocol: of PROTOCOLS; reading: of OVER. Both are left out of a file in which all rows have their defaults.
    subset: which test samples ("all", or what is left out); unit: what was resampled for [low, high]; n: how many of
    them. low and high are NaN without one.
    settings, model, data, environment: hashes of the numbers of its evaluation (`cache_keys.digest`), of the backbone,
    of the store and of the lock of all packages.
    """

    benchmark: str
    task: str
    arm: str
    seed: int
    label_fraction: float
    metric: str
    subset: str
    value: float
    low: float
    high: float
    unit: str
    n: int
    settings: str
    model: str
    data: str
    environment: str
    decoder: int = 0
    protocol: str = COMMON
    reading: str = SET

    @property
    def identity(self) -> tuple[str, str, str, int, int, float, str, str]:
        run = self.benchmark, self.task, self.arm, self.seed, self.decoder, self.label_fraction
        read = self.metric if self.plain else f"{self.metric} [{self.protocol}, {self.reading}]"
        return *run, read, self.subset

    @property
    def plain(self) -> bool:
        """Whether it is by brew's own protocol, over the whole test."""
        return (self.protocol, self.reading) == (COMMON, SET)

    @property
    def run_name(self) -> str:
        """Of the run that it is a score of."""
        return _run_name(self.benchmark, self.arm, self.seed, self.decoder, self.label_fraction, self.protocol)


_COLUMNS = tuple(column.name for column in fields(Score))
#: Of a file in which every score is plain.
_PLAIN_COLUMNS = tuple(name for name in _COLUMNS if name not in ("protocol", "reading"))
_TYPES = {column.name: column.type for column in fields(Score)}


@dataclass(frozen=True)
class Run:
    """What all rows of one evaluation share: the fields of `Score` of those names."""

    benchmark: str
    task: str
    arm: str
    seed: int
    settings: str
    label_fraction: float = 1.0
    model: str = ""
    data: str = ""
    environment: str = ""
    decoder: int = 0
    protocol: str = COMMON

    @property
    def name(self) -> str:
        """Of its cached result and its files."""
        return _run_name(self.benchmark, self.arm, self.seed, self.decoder, self.label_fraction, self.protocol)

    def score(self, metric: str, subset: str, interval: Interval, unit: str, reading: str = SET) -> Score:
        return Score(
            **asdict(self), metric=metric, subset=subset, value=interval.value, low=interval.low, high=interval.high,
            unit=unit, n=interval.n, reading=reading,
        )  # fmt: skip


def _run_name(benchmark: str, arm: str, seed: int, decoder: int, label_fraction: float, protocol: str) -> str:
    which = f"-decoder{decoder}" if decoder else ""
    by = "" if protocol == COMMON else f"-by-{protocol}"
    return f"{benchmark}-{arm}-{seed}{which}" + ("" if label_fraction == 1 else f"-{label_fraction:g}") + by


def scores_of(
    run: Run,
    counts: np.ndarray,
    metrics: Sequence[str],
    *,
    subset: str = "all",
    unit: str = "sample",
    ignore: int | None = None,
    replicates: int = 2000,
) -> list[Score]:
    """Rows of one evaluation: each metric of the counts summed over units, with its bootstrap interval over them.

    The resampled units depend on their number alone, so rows of different arms are on the same replicates. ignore: the
    ignored class, for the metrics that know one.
    """
    rows = []
    for name in metrics:
        chosen = metric(name)
        function = partial(chosen, ignore=ignore if chosen.ignores else None)
        rows.append(
            run.score(name, subset, bootstrap({run.arm: counts}, function, replicates=replicates)[run.arm], unit)
        )
    return rows


def readings_of(
    run: Run, counts: np.ndarray, benchmark: Benchmark, *, unit: str = "sample", replicates: int = 2000
) -> list[Score]:
    """The primary metric of one evaluation averaged over test images, and over batches of them in their order.

    Published code takes either, where `scores_of` sums counts over the whole test. Batches are those of the authors'
    protocol; without one there are none. The interval is over images, or over batches.
    """
    chosen = metric(benchmark.metric)
    ignore = benchmark.ignore if chosen.ignores else None
    groups = {IMAGES: counts}
    if benchmark.protocol is not None:
        starts = np.arange(0, len(counts), benchmark.protocol.batch)
        groups[BATCHES] = np.add.reduceat(counts, starts, axis=0)
    rows = []
    for reading, summed in groups.items():
        values = unit_values(np.asarray(chosen(summed, ignore)))
        interval = bootstrap({run.arm: values}, mean_of_units, replicates=replicates)[run.arm]
        rows.append(run.score(benchmark.metric, "all", interval, unit if reading == IMAGES else "batch", reading))
    return rows


def scene_scores(
    run: Run,
    scenes: Sequence[str],
    counts: np.ndarray,
    metrics: Sequence[str],
    *,
    left_out: Sequence[str] = (),
    replicates: int = 2000,
) -> list[Score]:
    """Rows of whole scenes: pooled over scenes, the mean of the scenes' own scores, and each scene's.

    Pooled scores and means come once for all scenes and, if `left_out` names some, once "without" them. Means are
    named ``<metric>_scene_mean``; a single scene's row has no interval.
    """
    unknown = sorted(set(left_out) - set(scenes))
    if unknown:
        raise BrewError(f"scenes {unknown} to leave out were not tested; tested: {', '.join(scenes)}")
    subsets = {"all": np.ones(len(scenes), dtype=bool)}
    if left_out:
        subsets[f"without {' '.join(left_out)}"] = ~np.isin(scenes, left_out)
    rows = []
    for subset, kept in subsets.items():
        rows += scores_of(run, counts[kept], metrics, subset=subset, unit="scene", replicates=replicates)
        for name in metrics:
            values = unit_values(metric(name)(counts[kept]))
            mean = bootstrap({run.arm: values}, mean_of_units, replicates=replicates)[run.arm]
            rows.append(run.score(f"{name}_scene_mean", subset, mean, "scene"))
    for name in metrics:
        values = metric(name)(counts)
        rows += [
            run.score(name, scene, Interval(float(value), math.nan, math.nan, 1), "scene")
            for scene, value in zip(scenes, values, strict=True)
        ]
    return rows


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Add rows to a CSV file, replacing rows of the same identity; atomic."""
    rows = {score.identity: score for score in (read_scores(path) if path.exists() else [])}
    rows.update({score.identity: score for score in scores})
    columns = _PLAIN_COLUMNS if all(score.plain for score in rows.values()) else _COLUMNS
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for _, score in sorted(rows.items()):
        values = [getattr(score, column) for column in columns]
        writer.writerow([f"{value:.10g}" if isinstance(value, float) else value for value in values])
    write_bytes(path, text.getvalue().encode())


def read_scores(path: Path) -> list[Score]:
    """All rows of a CSV file.

    Raises BrewError if its columns are not those of `Score`, if a field is no value of its column, or if a row stands
    twice.
    """
    columns, rows = read_table(path)
    if columns not in (_COLUMNS, _PLAIN_COLUMNS):
        raise BrewError(f"{path} has the columns {list(columns)}; expected {list(_COLUMNS)}: delete and recompute")
    scores = [_score(row, f"{path}, row {number}") for number, row in enumerate(rows, 1)]
    doubled = [identity for identity, count in Counter(score.identity for score in scores).items() if count > 1]
    if doubled:
        raise BrewError(f"{path}: {doubled[0]} stands twice; expected each score once: delete and recompute")
    return scores


def read_table(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Columns and rows of a CSV file; BrewError if it is absent or no CSV, or a row is shorter or longer than them."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            columns, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BrewError(f"{path} cannot be read ({error}); expected a CSV file in UTF-8. Restore it") from error
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise BrewError(f"{path}, row {number}: {len(row)} fields; expected {len(columns)}. Restore the file")
    return tuple(columns), [dict(zip(columns, row, strict=True)) for row in rows]


def _score(row: Mapping[str, str], where: str) -> Score:
    try:
        score = Score(**{name: _TYPES[name](value) for name, value in row.items()})  # type: ignore[operator]
    except ValueError as error:
        raise BrewError(f"{where}: {error}; expected the types of `Score`: delete the file and recompute") from error
    limits = [end for end in (score.low, score.high) if not math.isnan(end)]
    if not all(0 <= number <= 1 for number in (score.value, *limits)) or sorted(limits) != limits:
        raise BrewError(
            f"{where}: value {score.value} in [{score.low}, {score.high}]; expected shares from 0 to 1, as all metrics "
            "are: delete the file and recompute"
        )
    if score.protocol not in PROTOCOLS or score.reading not in OVER:
        raise BrewError(
            f"{where}: protocol {score.protocol!r}, reading {score.reading!r}; expected one of {', '.join(PROTOCOLS)} "
            f"and one of {', '.join(OVER)}: delete the file and recompute"
        )
    if not (0 < score.label_fraction <= 1 and score.n >= 1):
        raise BrewError(
            f"{where}: label_fraction {score.label_fraction}, n {score.n}; expected a share up to 1 and at least one "
            "unit: delete the file and recompute"
        )
    return score


def write_counts(path: Path, counts: np.ndarray, units: Iterable[object]) -> None:
    """Counts per test unit and the units' names, as a compressed NPZ of reproducible bytes; atomic."""
    names = np.array([str(unit) for unit in units])
    if len(names) != len(counts):
        raise BrewError(f"{len(names)} units for {len(counts)} counts; expected one name each")
    write_arrays(path, {"counts": counts, "units": names})


def read_counts(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts and unit names that `write_counts` stored; BrewError if the file is damaged."""
    arrays = read_arrays(path)
    if set(arrays) != {"counts", "units"}:
        raise BrewError(f"{path} holds {', '.join(arrays)}; expected counts and units: delete and recompute")
    return arrays["counts"], arrays["units"]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ that `write_arrays` wrote; BrewError if it is absent or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # archive, compression and header each have their own kinds
        raise BrewError(f"{path} cannot be read ({error}); expected an NPZ of arrays: delete and recompute") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A compressed NPZ; the archive holds fixed dates, so equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())
