"""A stage's state is read from its lock: done, kept in the cache, to run with a reason, or impossible."""

import hashlib
from pathlib import Path

import pytest
import yaml

from brew.compendium.plan.stage_states import StageState, stage_states

PIPELINE = {
    "stages": {
        "data": {"deps": ["code.py"], "params": [{"scales/x/params.yaml": ["data"]}], "outs": ["out/data"]},
        "pretrain": {
            "matrix": {"arm": "${arms}"}, "deps": ["code.py", "out/data"],
            "params": [{"scales/x/params.yaml": ["changes.${item.arm}"]}], "outs": ["out/${item.arm}"],
        },
        "site": {"deps": ["out"], "outs": [{"page.html": {"cache": False}}]},
    }
}  # fmt: skip
RUNS = ("deo", "masked")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree in which everything has run."""
    (tmp_path / "scales" / "x").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "scales" / "x.yaml").touch()
    for path in ("code.py", "out/data", "out/deo", "out/masked", "page.html"):
        (tmp_path / path).write_text(path)
    write(tmp_path, "params", {"data": 1, "changes": {"deo": {}, "masked": {}}})
    write(tmp_path, "dvc", PIPELINE)
    code = {"path": "code.py", "md5": md5("code.py")}

    def entry(deps: list, params: dict, out: str) -> dict:
        outs = [{"path": out, "md5": md5(out)}]
        return {"deps": deps, "params": {"scales/x/params.yaml": params}, "outs": outs}

    stages = {"data": entry([code], {"data": 1}, "out/data"), "site": entry([{"path": "out"}], {}, "page.html")}
    stages |= {f"pretrain@{run}": entry([code], {f"changes.{run}": {}}, f"out/{run}") for run in RUNS}
    (tmp_path / "scales" / "x" / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    return tmp_path


def write(root: Path, name: str, content: object) -> None:
    (root / "scales" / "x" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def states(tree: Path, **impossible: str) -> dict[str, StageState]:
    return {each.name: each for each in stage_states("x", RUNS, impossible, tree)}


def test_what_has_run_is_done_and_what_was_never_run_is_to_run(tree: Path) -> None:
    assert {each.state for each in states(tree).values()} == {"done"}
    assert list(states(tree)) == ["data", "pretrain@deo", "pretrain@masked", "site"]
    (tree / "scales" / "x" / "dvc.lock").unlink()
    assert {(each.state, each.reason) for each in states(tree).values()} == {("to run", "never run")}


def test_a_changed_arm_is_to_run_alone_with_what_follows(tree: Path) -> None:
    write(tree, "params", {"data": 1, "changes": {"deo": {"steps": 2}, "masked": {}}})
    found = states(tree)
    assert found["pretrain@deo"] == StageState("pretrain@deo", "to run", "changes.deo changed")
    assert found["site"] == StageState("site", "to run", "after pretrain@deo")
    assert found["data"].state == found["pretrain@masked"].state == "done"


def test_changed_code_names_its_file(tree: Path) -> None:
    (tree / "code.py").write_text("other, and of another length")
    assert states(tree)["data"] == StageState("data", "to run", "code.py changed")


def test_what_is_gone_comes_from_the_cache_if_it_is_kept_there(tree: Path) -> None:
    (tree / "out" / "masked").unlink()
    assert states(tree)["pretrain@masked"] == StageState("pretrain@masked", "to run", "what it left is gone")
    name = md5("out/masked")
    kept = tree / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert states(tree)["pretrain@masked"] == StageState("pretrain@masked", "from cache")


def test_absent_data_stop_what_follows_them(tree: Path) -> None:
    found = states(tree, data="pastis absent")
    assert found["data"] == StageState("data", "impossible", "pastis absent")
    assert found["pretrain@deo"] == StageState("pretrain@deo", "impossible", "after data")
