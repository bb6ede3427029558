"""`make verify` reads what runs leave for git, and refuses what it cannot judge before anything runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from brew.compendium import verification
from brew.compendium.verdicts import judge
from brew.errors import BrewError
from brew.evaluation.scores import Score, write_scores

_SCORE = Score(
    "roofs", "segmentation", "deo", 0, 1.0, "iou_macro", "all", 0.5, 0.4, 0.6, "sample", 10, "x", "m", "d", "e"
)


def tree(root: Path, value: float = 0.5) -> Path:
    """What a run of scale `tiny` leaves for git."""
    site = root / "reports" / "tiny"
    (site / "tables").mkdir(parents=True)
    (site / "beginnings").mkdir()
    (root / "scales" / "tiny").mkdir(parents=True)
    (root / "scales" / "tiny.yaml").touch()
    (root / "scales" / "tiny" / "params.yaml").write_text("scale: {name: tiny}\n")
    (site / "index.html").write_text('<p class="answer">DEO less MS: +5.0 [+3.0, +7.0] points.</p>')
    (site / "tables" / "gains.csv").write_text('arm,optical\ndeo,"**+5.0 [+3.0, +7.0]**"\n')
    (site / "beginnings" / "bytes.csv").write_text("kind,name,sha256\nstore,miniature,abc\n")
    (site / "beginnings" / "similarities.csv").write_text("run,step,name,value\ndeo,0,loss,-3.1\n")
    write_scores(site / "scores" / "scores.csv", [replace(_SCORE, value=value)])
    return root


def test_two_trees_are_judged_by_what_their_files_hold(tmp_path: Path) -> None:
    committed, other = (verification.results("tiny", tree(tmp_path / name, value)) for name, value in
                        (("one", 0.5), ("other", 0.53)))  # fmt: skip
    reruns = {_SCORE.identity: (0.50, 0.51, 0.52, 0.53, 0.49)}
    assert [verdict.holds for verdict in judge(committed, other, reruns)] == [True] * 4
    still = {_SCORE.identity: (0.5,) * 5}
    assert [verdict.holds for verdict in judge(committed, other, still)] == [True, True, False, True]
    assert [verdict.compared for verdict in judge(committed, other, reruns)] == [1, 1, 1, 3]


def test_a_run_without_its_beginnings_is_refused(tmp_path: Path) -> None:
    (tree(tmp_path) / "reports" / "tiny" / "beginnings" / "bytes.csv").unlink()
    with pytest.raises(BrewError, match=r"bytes.csv does not exist; expected what a run of scale tiny leaves"):
        verification.results("tiny", tmp_path)


def test_one_sample_tips_a_classification_and_no_map() -> None:
    assert verification.tipping(_SCORE) == 0
    assert verification.tipping(replace(_SCORE, task="classification")) == 10


def test_native_bits_are_not_compared_with_a_lock() -> None:
    with pytest.raises(BrewError, match="scale gpu has native bits"):
        verification.main(["gpu", "--bits", "portable"])


def lock(**outputs: str) -> str:
    """A lock of stages that leave one file each. outputs: stage -> the file's MD5."""
    stages = "".join(
        f"  {stage}:\n    cmd: run\n    outs:\n    - path: {stage}.csv\n      hash: md5\n      md5: {md5}\n"
        for stage, md5 in outputs.items()
    )
    return f"schema: '2.0'\nstages:\n{stages}"


@pytest.mark.parametrize(
    ("stages", "said"), [((), "of scale tiny left"), (("arms",), "of scale tiny, up to arms, left")]
)
@pytest.mark.parametrize("changed", [False, True])
def test_bytes_are_those_of_the_lock_or_named(
    stages: tuple[str, ...], said: str, changed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dvc.lock").write_text(lock(data="a" * 32, arms="b" * 32))

    def clone(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "dvc.lock").write_text("")

    def run(scale: str, folder: Path, asked: tuple[str, ...], force: bool) -> None:
        found = {"data": "a" * 32, "arms": ("c" if changed else "b") * 32}
        (folder / "dvc.lock").write_text(lock(**{name: found[name] for name in asked or found}))

    monkeypatch.setattr(verification, "SCRATCH", tmp_path)
    monkeypatch.setattr(verification, "lock_file", lambda scale, root=tmp_path: root / "dvc.lock")
    monkeypatch.setattr(verification.regeneration, "clone", clone)
    monkeypatch.setattr(verification.regeneration, "run", run)
    verdict = verification.in_bytes("tiny", stages)
    assert verdict.holds != changed and said in verdict.rule
    assert [finding.name for finding in verdict.findings] == ["arms"] * changed
    assert verdict.compared == (len(stages) or 2)


def test_an_unmeasured_noise_stops_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(verification.noise, "file", lambda scale: tmp_path / "noise.csv")
    with pytest.raises(BrewError, match=r"noise.csv does not exist; expected .* Run `make noise SCALE=tiny`"):
        verification.main(["tiny"])
