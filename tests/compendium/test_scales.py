"""Scales: parameters merged from their sources, and generated files that are never older than those."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium import scales
from brew.errors import BrewError

TREE = st.recursive(
    st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from("abcd"), TREE, max_size=4)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(
        "scale: {name: miniature, root: ., parameters: params.yaml}\n"
        "pretraining: {epochs: 2, rate: 5e-4}\n"
        "arms: [deo, ms-only]\n"
        "changes: {deo: {rate: 1e-4}, ms-only: {}}\n"
        "tasks: {roofs: {classes: 2}}\n"
    )
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "gpu.yaml").write_text("pretraining: {epochs: 50}\narms: [deo]\n")
    return tmp_path


def change(tree: Path, text: str) -> None:
    (tree / "scales" / "gpu.yaml").write_text(text)


@given(TREES, TREES)
def test_merging_changes_what_is_named_and_nothing_else(base: dict, changes: dict) -> None:
    merged = scales.merge(base, changes)
    assert set(merged) == set(base) | set(changes)
    assert scales.merge(merged, changes) == merged
    for key in set(base) - set(changes):
        assert merged[key] == base[key]


@given(TREES)
def test_merging_nothing_changes_nothing(base: dict) -> None:
    assert scales.merge(base, {}) == base == scales.merge({}, base)


def test_a_scale_changes_single_values_and_replaces_lists(tree: Path) -> None:
    assert scales.parameters("gpu", tree) == {
        "scale": {
            "name": "gpu",
            "root": "../..",
            "parameters": "scales/gpu/params.yaml",
            "report": "reports/gpu/index.html",
        },
        "pretraining": {"epochs": 50, "rate": 0.0005},
        "arms": ["deo"],
        "changes": {"deo": {"rate": 0.0001}},
        "tasks": {"roofs": {"classes": 2}},
    }


def test_every_repetition_of_an_arm_changes_what_the_arm_changes(tree: Path) -> None:
    change(tree, "arms: [deo, deo-seed1, ms-only]\nchanges: {deo-seed1: {epochs: 3}}\n")
    assert scales.parameters("gpu", tree)["changes"] == {
        "deo": {"rate": 0.0001}, "deo-seed1": {"rate": 0.0001, "epochs": 3}, "ms-only": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("deo", ("deo", 0)), ("deo-seed12", ("deo", 12)), ("ms+optical-path-seed1", ("ms+optical-path", 1)),
        ("deo-seed", ("deo-seed", 0)), ("deo-seedling", ("deo-seedling", 0)),
    ],
)  # fmt: skip
def test_a_run_names_its_arm_and_repetition(run: str, expected: tuple[str, int]) -> None:
    assert scales.arm_and_seed(run) == expected


def test_a_mapping_is_replaced_whole_where_the_scale_says_so(tree: Path) -> None:
    change(tree, "tasks: !replace {change: {classes: 2}}\n")
    assert scales.parameters("gpu", tree)["tasks"] == {"change": {"classes": 2}}


def test_numbers_without_a_point_are_numbers(tree: Path) -> None:
    assert scales.read_yaml(tree / "params.yaml")["pretraining"]["rate"] == 5e-4
    assert [scales.parse_yaml(text) for text in ("1E3", "-2e-1", "3", "e5", "2e", "1.5e-3")] == [
        1000.0, -0.2, 3, "e5", "2e", 0.0015,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pretrainng: {epochs: 1}\n", "section 'pretrainng' is not one that a scale may change; did you mean 'pretr"),
        ("scale: {name: other}\n", "section 'scale' is not one that a scale may change"),
        ("arms: [a]\narms: [b]\n", "key 'arms' stands twice"),
        ("pretraining: {epochs: 1, epochs: 2}\n", "key 'epochs' stands twice"),
        ("arms: [a\n", "is not valid YAML"),
        ("- a\n", "holds list; expected a mapping"),
        ("", "holds NoneType; expected a mapping"),
    ],
)
def test_a_broken_scale_is_named(tree: Path, text: str, message: str) -> None:
    change(tree, text)
    with pytest.raises(BrewError) as error:
        scales.parameters("gpu", tree)
    assert message in str(error.value)
    assert "gpu.yaml" in str(error.value)


def test_an_unknown_scale_is_answered_with_the_nearest(tree: Path) -> None:
    with pytest.raises(BrewError, match="scale 'minature' is unknown; did you mean 'miniature'"):
        scales.parameters("minature", tree)


def test_sync_writes_what_is_stale_and_only_that(tree: Path) -> None:
    assert scales.stale(tree) == ("gpu",)
    assert scales.sync(tree) == ("gpu",)
    assert scales.stale(tree) == () == scales.sync(tree)
    assert scales.read_yaml(scales.parameter_file("gpu", tree)) == scales.parameters("gpu", tree)
    assert (tree / "scales" / "gpu" / "dvc.yaml").read_text() == (tree / "dvc.yaml").read_text()
    (tree / "params.yaml").write_text((tree / "params.yaml").read_text().replace("classes: 2", "classes: 3"))
    assert scales.sync(tree) == ("gpu",)
    assert scales.read_yaml(scales.parameter_file("gpu", tree))["tasks"] == {"roofs": {"classes": 3}}


def test_every_scale_of_the_tree_is_current() -> None:
    assert scales.stale() == (), "run `python -m brew.compendium.scales sync`"
    root = scales.parameters(scales.MINIATURE)["scale"]
    assert root == {"name": "miniature", "root": ".", "parameters": "params.yaml", "report": "reports/index.html"}


def test_the_command_line_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert scales.main(["sync", "minature"]) == 1
    assert "did you mean 'miniature'" in capsys.readouterr().err
