"""The whole pipeline in a fresh clone, at scale `tiny`: what `make repro` does, in a few minutes."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from brew.compendium import environment
from brew.compendium.locked import differences, lock_file, read_lock
from brew.compendium.settings import load
from brew.compendium.verdicts import judge
from brew.compendium.verification import results
from brew.evaluation.benchmarks import BENCHMARKS
from brew.files import ROOT
from brew.pretraining import checkpoint
from tests import soak

_PIPELINE = "scales/tiny/dvc.yaml"
#: Of `python -m`: DVC as `brew repro` starts it.
_DVC = ("brew.compendium.one_pipeline", _PIPELINE)
#: Stage, kind and form of five moments. The stages are the cheapest; `make soak` tries all of them.
_MOMENTS = (
    ("metrics", "SIGINT", "terminal"),
    ("parameters", "SIGTERM", "stage"),
    ("metrics", "read-only folders", "all"),
    ("arms", "cut chunk", "largest"),
    ("arms", "SIGKILL", "dvc"),
)


def call(clone: Path, module: str, *arguments: str) -> str:
    """What `brew` or `dvc` prints, in the clone."""
    command, variables = [sys.executable, "-m", module, *arguments], environment.pipeline(os.environ)
    done = subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def wait_until(met: Callable[[], bool], what: str, seconds: float = 300) -> None:
    start = time.monotonic()
    while not met():
        assert time.monotonic() - start < seconds, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(?:.*?:)?([^']+)'", output)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clone") / "brew"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place)], check=True)
    return place


@pytest.fixture(scope="module")
def first(clone: Path) -> str:
    return call(clone, "brew", "repro", "tiny", "--force")


def test_every_stage_runs_and_leaves_a_report(clone: Path, first: str) -> None:
    assert {"data", "optical-teacher", "pretrain@ms-only", "pretrain@deo", "beginnings", "site"} <= set(ran(first))
    report = clone / "reports" / "tiny"
    page = (report / "index.html").read_text()
    assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//', page), "the report reaches for a network"
    for link in re.findall(r'href="((?:pages|chapters|benchmarks)/[^"#]+)', page):
        assert (report / link).is_file(), link
    assert len(list((report / "figures").iterdir())) >= 8
    assert sum(file.stat().st_size for file in report.glob("[!ns]*/**/*") if file.is_file()) < 3e6, "in git"
    assert '"deo"' in (report / "metrics" / "segmentation.json").read_text()


def test_students_kept_on_their_way_tell_what_they_learned(clone: Path, first: str) -> None:
    curves = pd.read_csv(clone / "reports" / "tiny" / "stages" / "progress" / "curves.csv")
    steps = curves.groupby("arm")["step"].agg(lambda found: sorted(set(found)))
    assert steps.to_dict() == {"random": [0], "ms-only": [2, 4, 6], "deo": [2, 4, 6]}
    assert curves["score"].between(0, 1).all() and (curves["low"] <= curves["high"]).all()
    assert curves.groupby("arm")["benchmark"].nunique().nunique() == 1
    table = pd.read_csv(clone / "reports" / "tiny" / "tables" / "progress.csv")
    assert set(table["arm"]) == {"ms-only", "deo"}
    assert table["convergence"].str.fullmatch("(not )?converged, by one seed").all()


def test_every_backbone_has_a_score_on_every_benchmark(clone: Path, first: str) -> None:
    scores = pd.concat([pd.read_csv(file) for file in (clone / "reports" / "tiny" / "scores").glob("*.csv")])
    arms = scores.groupby("benchmark")["arm"].agg(set)
    assert set(arms.index) == {name for name, entry in BENCHMARKS.items() if load("tiny").data.offers(entry)}
    for found in arms:
        assert {"random", "ms-only", "deo", "teacher", "imagenet", "band-statistics"} <= found
    for name in ("new-sites", "new-sites-rgb"):
        assert {"cva", "fc-siam-diff"} <= arms[name]
    shares = scores.groupby("benchmark")["label_fraction"].agg(set)
    assert all({1.0, 0.1} <= found for found in shares)
    assert scores["value"].between(0, 1).all()


def test_the_run_is_judged_equal_to_itself(clone: Path, first: str) -> None:
    found = results("tiny", clone)
    assert {name.partition(" ")[0] for name in found.hashes} == {"store", "split", "views", "teacher"}
    assert {name.partition(",")[0] for name in found.similarities} == {"ms-only", "deo"}
    still = {identity: [value] * 5 for identity, value in found.scores.items()}
    assert [verdict.holds for verdict in judge(found, found, still)] == [True] * 4


def test_the_bytes_are_those_of_the_committed_lock_on_whatever_processor(clone: Path, first: str) -> None:
    expected, found = (read_lock(lock_file("tiny", root)) for root in (ROOT, clone))
    unlike = differences(expected, found)
    assert not unlike, f"first in the pipeline: {unlike[0]}. If code was meant to change that, run `make lock-tiny`"


def test_nothing_runs_a_second_time(clone: Path, first: str) -> None:
    assert ran(call(clone, "brew", "repro", "tiny")) == []


def test_edited_sources_of_parameters_stop_dvc_until_they_are_merged(clone: Path, first: str) -> None:
    source, target = clone / "scales" / "tiny.yaml", f"{_PIPELINE}:pretrain@deo"
    before = source.read_text()
    source.write_text(before.replace("steps: 6", "steps: 4"))
    assert source.read_text() != before
    try:
        assert "parameters" in ran(call(clone, "dvc", "repro", "--dry", target))
        with pytest.raises(AssertionError, match="run `make sync`"):
            call(clone, "brew", "parameters", "tiny")
    finally:
        source.write_text(before)


def test_a_changed_arm_runs_alone(clone: Path, first: str) -> None:
    parameters = clone / "scales" / "tiny" / "params.yaml"
    before = parameters.read_text()
    parameters.write_text(before.replace("deo: {}", "deo: {clip: 1.0}"))
    assert parameters.read_text() != before
    try:
        changed = ran(call(clone, *_DVC, "repro", "--dry", _PIPELINE))
    finally:
        parameters.write_text(before)
    assert "pretrain@deo" in changed
    assert not {"data", "optical-teacher", "pretrain@ms-only"} & set(changed)


def test_a_disturbed_pipeline_recovers(clone: Path, first: str) -> None:
    """Five moments in a row, and one run after all of them."""
    stages = sorted({stage for stage, _, _ in _MOMENTS})
    tree = soak.Tree(clone, dict.fromkeys(stages, 2.0))
    for number, (stage, kind, form) in enumerate(_MOMENTS):
        _, orphans = tree.disturb(soak.Moment(number, kind, form, stage, share=1.0))
        assert not orphans, f"{kind}, {form} leaves {orphans} processes"
    assert tree.recover(stages) == soak.Left(True, 0, 0, 0, "")


def test_a_killed_training_goes_on_to_the_same_lock(clone: Path, first: str) -> None:
    target = f"{_PIPELINE}:pretrain@deo"
    lock, parameters = (clone / "scales" / "tiny" / name for name in ("dvc.lock", "params.yaml"))
    before = lock.read_text(), parameters.read_text()
    # An arm that DVC has no result of, or it would take that one; long enough to be killed in the middle.
    parameters.write_text(before[1].replace("deo: {}", "deo: {clip: 2.0, steps: 100}"))
    try:
        command = [sys.executable, "-m", *_DVC, "repro", "--single-item", target]
        plain = environment.pipeline(os.environ)  # its shell may be dash, which stays beside the command it runs
        with subprocess.Popen(command, cwd=clone, env=plain, stdout=subprocess.DEVNULL) as running:
            family = psutil.Process(running.pid)
            wait_until(lambda: any((clone / "scratch" / "unfinished").glob("tiny-deo-*.pt")), "the first checkpoint")
            children = family.children(recursive=True)
            running.kill()
        assert children, "the notebook runs in processes of its own"
        wait_until(lambda: not any(each.is_running() and each.status() != "zombie" for each in children), "no orphans")
        (unfinished,) = (clone / "scratch" / "unfinished").glob("tiny-deo-*.pt")
        assert 1 <= checkpoint.load(unfinished)["step"] < 100
        assert ran(call(clone, *_DVC, "repro", "--single-item", target)) == ["pretrain@deo"]
        assert not unfinished.exists()
        resumed = lock.read_text()
        assert resumed != before[0]
        assert ran(call(clone, *_DVC, "repro", "--single-item", "--force", target)) == ["pretrain@deo"]
        assert lock.read_text() == resumed, "undisturbed, the same arm gives other bytes"
    finally:
        lock.write_text(before[0])
        parameters.write_text(before[1])


def test_the_tree_stays_clean_but_for_the_lock_and_the_reports(clone: Path, first: str) -> None:
    """The scale's own report, and the home, which is drawn anew from all scales."""
    lines = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout
    touched = {line[3:].strip('"') for line in lines.splitlines()}
    assert all(path.startswith(("reports/tiny", "reports/index.html", "scales/tiny/dvc.lock")) for path in touched), (
        touched
    )
