"""The accelerator's script without one: it runs at small sizes, keeps what it measured, and says what it could not.

And the training step with torch's `meta` device in an accelerator's place, to see that nothing waits for it.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import accelerator, harness
from benchmarks.accelerator import SMALL, Bench, Case, Ledger, Result, Timeline, Training, arithmetic, write_images
from benchmarks.report import read
from brew import losses
from brew.data.batches import Batch, Batches
from brew.errors import BrewError
from brew.models.student import build_student
from brew.models.teachers import TEACHERS
from brew.pretraining import feeds
from brew.pretraining.arms import arm
from brew.pretraining.ema import moving_average_of, update_moving_average
from brew.pretraining.learner import Learner, Noise
from brew.pretraining.loop import targets_of
from brew.pretraining.objective import similarities
from brew.pretraining.updates import clip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results go."""
    monkeypatch.delenv("OUT", raising=False)
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(harness, "QUICK_RESULTS", tmp_path / "quick")
    return tmp_path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_images(tmp_path / "images", SMALL.samples, SMALL.side)
    teacher = TEACHERS["miniature"].build(random=True)
    return Bench(SMALL, torch.device("cpu"), "32-true", tmp_path / "images", teacher, "random")


def result(backbone: str = "swin-nano", name: str = "one", *values: float) -> Result:
    return Result(name, "images/s", values or (1.0,), {"backbone": backbone}, machine={})


def ledger(folder: Path, budget_s: float = 60.0) -> Ledger:
    return Ledger(True, None, budget_s, ["swin-nano"])


def raising(error: Exception) -> Callable[[], Any]:
    def run() -> Any:
        raise error

    return run


def test_the_whole_script_runs_without_an_accelerator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiling is the compiler's own business and takes most of the time; what is compiled is tested below.
    monkeypatch.setattr(accelerator, "measure_compiled", lambda *_: None)
    accelerator.main(["--device", "cpu", "--quick", "--rounds", "2"])
    records = {record["name"]: record for record in read(folder / "quick")["accelerator"]}
    assert list(records)[:3] == [
        "swin-nano, batch 2: arithmetic per image",
        "swin-nano, batch 2: end to end",
        "swin-nano, batch 4: end to end",
    ]
    assert all(record["ours"] > 0 for record in records.values())
    assert records["swin-nano, batch 4: end to end"]["rounds"] == 2
    absent = json.loads((folder / "quick/accelerator/not-measured.json").read_text())
    waits, fused = absent
    assert waits["name"].endswith(": host waits") and fused["name"].endswith(", fused attention")
    assert all("expected an accelerator" in each["reason"] for each in absent)
    written = {path.name for path in (folder / "quick/accelerator").iterdir()}
    assert {"profile-swin-nano.txt", "trace-swin-nano.json.gz"} <= written


def test_full_sizes_need_an_accelerator(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accelerator.main(["--device", "cpu"])
    assert "nothing measured" in capsys.readouterr().out
    assert not list(folder.iterdir())


def test_an_unknown_backbone_is_an_error(folder: Path) -> None:
    with pytest.raises(BrewError, match="swin-q have no batches here; expected swin-nano"):
        accelerator.main(["--device", "cpu", "--quick", "--backbones", "swin-q"])


def test_what_fails_is_noted_and_does_not_stop_the_rest(folder: Path) -> None:
    book = ledger(folder)
    assert book.measure("first", raising(torch.OutOfMemoryError("out of memory")), 0) == []
    assert book.measure("second", lambda: [result()], 0)[0].values == (1.0,)
    assert [record["name"] for record in read(folder / "quick")["accelerator"]] == ["one"]
    absent = json.loads((book.folder / "not-measured.json").read_text())
    assert absent == [{"name": "first", "reason": "OutOfMemoryError: out of memory"}]


def test_nothing_is_begun_for_which_time_is_short(folder: Path) -> None:
    book = ledger(folder, budget_s=10.0)
    assert book.measure("long", raising(AssertionError("was run")), needs_s=20.0) == []
    (absent,) = json.loads((book.folder / "not-measured.json").read_text())
    assert "expected 20 s; raise --budget-s" in absent["reason"]


def test_results_of_other_backbones_stay(folder: Path) -> None:
    harness.write("accelerator", result("swin-nano", "old"), result("swin-t", "other"), quick=True)  # type: ignore[arg-type]
    ledger(folder).add([result("swin-nano", "new")])
    assert [record["name"] for record in read(folder / "quick")["accelerator"]] == ["other", "new"]


def test_everything_goes_to_the_folder_that_out_names(folder: Path) -> None:
    out = folder / "out"
    Ledger(True, out, 60.0, ["swin-nano"]).add([result()])
    assert {path.name for path in out.iterdir()} == {"accelerator.json", "not-measured.json"}


def test_a_record_holds_median_and_extremes(folder: Path) -> None:
    record = result("swin-nano", "some", 3.0, 1.0, 2.0).record()
    assert (record["ours"], record["rounds"], record["spread"]) == (2.0, 3, {"ours": [1.0, 3.0]})


def test_rounds_and_the_views_share_are_those_of_the_steps_after_the_warm_up() -> None:
    timeline = Timeline(torch.device("cpu"), lambda step: None)
    timeline.steps = [0.0, 9.0, 10.0, 12.0, 13.0, 17.0]  # one step of warm-up, two rounds of two, and the end
    timeline.views = [(0.0, 8.0), (9.0, 9.5), (10.0, 10.25), (12.0, 12.5), (13.0, 14.0), (17.0, 99.0)]
    assert timeline.rounds(1, 2) == [3.0, 5.0]
    assert timeline.views_share(1, 2) == [0.25, 0.3]


def test_steps_are_noted_as_the_loop_takes_batches(bench: Bench) -> None:
    seen: list[int] = []
    timeline = Training(bench, Case("swin-nano", 4)).run(3, seen.append)
    assert seen == [0, 1, 2]
    assert len(timeline.steps) == len(timeline.host) == len(timeline.views) == 3
    assert timeline.steps[0] < timeline.views[0][0] < timeline.views[0][1] < timeline.steps[1]


def test_a_compiled_case_compiles_the_trunk_for_each_size_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[str, object]] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiled.append((type(self).__name__, how)))
    Training(bench, Case("swin-nano", 4))
    Training(bench, Case("swin-nano", 4, compiled=True))
    assert compiled == [("Swin", {"backend": "eager", "dynamic": False})]


def test_a_case_with_graphs_asks_the_compiler_for_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an accelerator alone: elsewhere the case is noted as not measured."""
    compiled: list[dict[str, object]] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiled.append(how))
    monkeypatch.setattr(accelerator, "Batches", lambda *_: None)  # whose device is not there
    case = Case("swin-nano", 4, compiled=True, graphs=True)
    Training(replace(bench, device=torch.device("cuda")), case)
    assert compiled == [{"backend": "eager", "dynamic": False, "options": {"triton.cudagraphs": True}}]
    with pytest.raises(BrewError, match="expected an accelerator, whose launches"):
        Training(bench, case)
    with pytest.raises(BrewError, match="expected compiled=True"):
        Case("swin-nano", 4, graphs=True)


def test_the_plan_has_each_way_once_and_notes_what_cannot_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []

    def note(_: Ledger, __: Bench, case: Case, *___: object) -> None:
        asked.append(case)

    best = Case("swin-nano", 4)
    monkeypatch.setattr(accelerator, "measure_eager", lambda *_: (best, None))
    monkeypatch.setattr(accelerator, "measure_fused", note)
    monkeypatch.setattr(accelerator, "measure_compiled", note)
    accelerator.main(["--device", "cpu", "--quick"])
    assert [str(case) for case in asked] == [
        "swin-nano, batch 4, fused attention",
        "swin-nano, batch 4, compiled",
        "swin-nano, batch 4, compiled, CUDA graphs",
    ]


def test_settings_and_files_tell_the_ways_apart(bench: Bench) -> None:
    plain, graphs = Case("swin-nano", 4), Case("swin-nano", 4, compiled=True, fused=True, graphs=True)
    settings = [bench.settings(case) for case in (plain, graphs)]
    found = [(each["attention"], each["compiled"], each["CUDA graphs"]) for each in settings]
    assert found == [("torch's", "no", "no"), ("fused", "trunk, eager", "yes")]


def test_arithmetic_leaves_out_the_views_and_grows_with_the_trunk(bench: Bench) -> None:
    (nano,), (micro,) = (arithmetic(bench, Case(backbone, 4)) for backbone in ("swin-nano", "swin-micro"))
    assert 0 < nano.values[0] < micro.values[0]
    assert nano.details == micro.details  # the views are the same
    assert nano.details["views, GFLOP per image"] > 0  # type: ignore[operator]


def test_the_store_holds_images_of_both_sensors(bench: Bench) -> None:
    (batch, *_) = Batches("images", bench.store, ("multispectral", "optical"), ("train",), 8, 0).epoch(0)
    assert batch.arrays["multispectral"].shape == (8, 10, 32, 32)
    assert batch.arrays["multispectral"].float().std() > 1000
    assert batch.arrays["optical"].shape == (8, 3, 32, 32)


class BlockingCopies(TorchDispatchMode):
    """Counts copies from the host to the meta device that do not say `non_blocking`: on CUDA the host waits in them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            crosses = torch.device(kwargs.get("device") or args[0].device) != args[0].device
            self.count += crosses and not kwargs.get("non_blocking")
        elif func is torch.ops.aten.copy_.default:
            self.count += args[0].device != args[1].device and not (len(args) > 2 and args[2])
        return func(*args, **kwargs)


class MetaFeed:
    """Batches of images without values on the meta device, their identifiers on the host."""

    name = "images"

    def __len__(self) -> int:
        return 2

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        shapes = {"multispectral": ((4, 10, 64, 64), torch.uint16), "optical": ((4, 3, 64, 64), torch.uint8)}
        for _ in range(start_step, 2):
            arrays = {name: torch.empty(shape, dtype=dtype, device="meta") for name, (shape, dtype) in shapes.items()}
            yield Batch(torch.arange(4), arrays)


def test_a_step_reads_nothing_from_the_device_and_sends_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is read from the meta device raises; copies to it are counted."""
    # Autocast does not know the meta device; the coding rate looks at its factorisation on every device but CUDA.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(losses, "expansion", lambda student, *_, **__: 0 * student.sum())
    chosen = arm("deo").with_teacher("miniature")
    teacher = TEACHERS["miniature"].build(random=True)
    teacher._range_checked = True  # it looks at its first images
    teachers = {"miniature": teacher.to("meta")}
    student = build_student("swin-nano", chosen.paths, stochastic_depth=0.5, fixed_count=True)
    learner = Learner(student, chosen, teachers, 32, 32).to("meta")
    own_teacher: Any = moving_average_of(learner.own)
    feed = MetaFeed()
    stream = feeds.stream(feed, 0)

    def step() -> int:
        with BlockingCopies() as copies:
            batch, epoch = feeds.views_of_step([feed], [stream], chosen, SMALL.views, 0)
            targets = targets_of(own_teacher, teachers, batch, None)
            projections = learner(batch, Noise(0, epoch, "student"))
            _, similarity = similarities(
                chosen, batch, projections, *targets, epsilon=0.05, skip_same_view=True, half_logdet=True
            )
            (-similarity).backward()
            clip(learner, 3.0, True)
            update_moving_average(own_teacher, learner.own, 0.99)
        return copies.count

    first, second = step(), step()
    assert first > 0  # tables that are kept
    assert second == 0
