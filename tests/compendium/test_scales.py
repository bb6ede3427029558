"""Scales: parameters merged from their sources, and read from the files that DVC follows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium import pipeline, scales, sync
from brew.compendium.pipeline import StageEntry
from brew.errors import BrewError

TREE = st.recursive(
    st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from("abcd"), TREE, max_size=4)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(
        "scale: {name: miniature}\n"
        "pretraining: {epochs: 2, rate: 5e-4}\n"
        "arms: [deo, ms-only]\n"
        "changes: {deo: {rate: 1e-4}, ms-only: {}}\n"
        "tasks: {roofs: {classes: 2}}\n"
    )
    stages = (StageEntry("parameters", command="parameters"), StageEntry("arms", command="arms", parameters=("arms",)))
    monkeypatch.setattr(pipeline, "STAGES", stages)
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "gpu.yaml").write_text("pretraining: {epochs: 50}\narms: [deo]\n")
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


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
    found = scales.merged("gpu", tree)
    place = found.pop("scale")
    assert place["name"] == "gpu"
    assert found == {
        "pretraining": {"epochs": 50, "rate": 0.0005},
        "arms": ["deo"],
        "changes": {"deo": {"rate": 0.0001}},
        "tasks": {"roofs": {"classes": 2}},
    }


def test_every_repetition_of_an_arm_changes_what_the_arm_changes(tree: Path) -> None:
    change(tree, "arms: [deo, deo-seed1, ms-only]\nchanges: {deo-seed1: {epochs: 3}}\n")
    assert scales.merged("gpu", tree)["changes"] == {
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
    assert scales.merged("gpu", tree)["tasks"] == {"change": {"classes": 2}}


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
        ("arms: [a]\narms: [b]\n", 'found duplicate key "arms"'),
        (
            "pretraining: {epochs: 1, epochs: 2}\n",
            'duplicate key "epochs" with value "2" (original value: "1"); keep one of them (line 1)',
        ),
        ("tasks: !replace {roofs: 1, roofs: 2}\n", 'duplicate key "roofs"'),
        ("arms: [a\n", "not valid YAML"),
        ("arms: !python/name:os.system [a]\n", "not valid YAML"),
        ("- a\n", "holds list; expected a mapping"),
        ("", "holds NoneType; expected a mapping"),
    ],
)
def test_a_broken_scale_is_named(tree: Path, text: str, message: str) -> None:
    change(tree, text)
    with pytest.raises(BrewError) as error:
        scales.merged("gpu", tree)
    assert message in str(error.value)
    assert "gpu.yaml" in str(error.value)


def test_an_unknown_scale_is_answered_with_the_nearest(tree: Path) -> None:
    with pytest.raises(BrewError, match="scale 'minature' is unknown; did you mean 'miniature'"):
        scales.parameters("minature", tree)


def test_words_are_words_as_in_the_yaml_that_dvc_reads() -> None:
    assert [scales.parse_yaml(text) for text in ("yes", "off", "010", "0o10", "1:30", "true")] == [
        "yes", "off", 10, 8, "1:30", True,
    ]  # fmt: skip


def test_sync_writes_what_is_stale_and_only_that(tree: Path) -> None:
    written = [Path("dvc.yaml"), Path("scales/gpu/params.yaml"), Path("scales/gpu/dvc.yaml")]
    assert sync.stale(tree) == written
    assert sync.sync(tree) == written
    assert sync.stale(tree) == [] == sync.sync(tree)
    assert scales.parameters("gpu", tree) == scales.merged("gpu", tree)
    edit(tree / "params.yaml", "classes: 2", "classes: 3")
    assert sync.sync(tree) == written[1:2]
    assert scales.parameters("gpu", tree)["tasks"] == {"roofs": {"classes": 3}}


def test_a_link_is_replaced_by_a_file(tree: Path) -> None:
    sync.sync(tree)
    file = tree / "scales" / "gpu" / "dvc.yaml"
    (tree / "aside.yaml").write_text(file.read_text())
    file.unlink()
    file.symlink_to(tree / "aside.yaml")
    assert sync.sync(tree) == [Path("scales/gpu/dvc.yaml")]
    assert not file.is_symlink()


def test_a_number_that_an_experiment_sets_is_the_one_that_is_read(tree: Path) -> None:
    sync.sync(tree)
    edit(tree / "scales" / "gpu" / "params.yaml", "epochs: 50", "epochs: 3")
    assert scales.parameters("gpu", tree)["pretraining"]["epochs"] == 3
    assert sync.sync(tree) == [Path("scales/gpu/params.yaml")]
    assert scales.parameters("gpu", tree)["pretraining"]["epochs"] == 50


@pytest.mark.parametrize("source", ["params.yaml", "scales/gpu.yaml"])
def test_sources_that_were_edited_since_are_an_error_until_they_are_merged(tree: Path, source: str) -> None:
    sync.sync(tree)
    edit(tree / source, "pretraining: {", "pretraining: {more: 1, ")
    with pytest.raises(BrewError, match=r"^scales/gpu/params.yaml was not made from params.yaml and scales/gpu.yaml"):
        scales.parameters("gpu", tree)
    sync.sync(tree)
    assert scales.parameters("gpu", tree)["pretraining"]["more"] == 1


def test_a_comment_in_a_source_changes_nothing(tree: Path) -> None:
    sync.sync(tree)
    edit(tree / "params.yaml", "pretraining:", "# a word\npretraining:")
    assert sync.stale(tree) == [] and scales.parameters("gpu", tree)


def test_parameters_that_were_never_generated_say_how(tree: Path) -> None:
    with pytest.raises(BrewError, match="run `make sync`"):
        scales.parameters("gpu", tree)


def test_the_default_scale_is_its_own_source() -> None:
    root = scales.parameters(scales.MINIATURE)["scale"]
    assert root == {"name": "miniature"}
