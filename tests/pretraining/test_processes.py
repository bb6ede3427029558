"""Several processes train as one does, and end as one where one of them dies; over gloo, on the CPU.

This file is also what the processes run, every case in one launch, since starting takes longest.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from brew.compendium.scales import parameter_file
from brew.compendium.sync import parameters_text
from brew.data.batches import Batches
from brew.data.miniature.rendering import render
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import ROOT
from brew.models.student import build_student
from brew.models.teachers import TEACHERS
from brew.pretraining import checkpoint, loop
from brew.pretraining.arms import arm
from brew.pretraining.loop import Pretrained, pretrain
from brew.pretraining.optimisation import Optimisation
from brew.views import ViewSettings

VIEWS = ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5)
STEPS, STOP = 4, 2
#: Of a store: its variables and the samples per step.
FEEDS = {
    "scenes": (("multispectral", "optical"), 8),
    "aerial": (("optical",), 4),
    "miniature": (("multispectral", "optical", "materials_by_date", "scene"), 8),
}
#: Name -> arm, feeds, covariance. Feeds of two sizes, one without a sensor; arms with an untrained stem.
TRAINED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "deo": ("deo", ("scenes",), "global"),
    "merged": ("deo", ("scenes", "aerial"), "global"),
    "ms-only": ("ms-only", ("scenes",), "global"),
    "optical-only": ("optical-only", ("aerial",), "global"),
    "local": ("ms-only", ("scenes",), "local"),
    "time": ("deo+time-spread", ("miniature",), "global"),
    "labels": ("deo+labels-tenth", ("miniature", "aerial"), "global"),
}
#: A hang fails by this, never by a slow machine.
PATIENCE_S = 900


class Interrupted(Exception):
    pass


class Stopping(Batches):
    """Raises after `STOP` batches, in every process alike."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Any]:
        for step, batch in enumerate(super().epoch(epoch, start_step), start_step + epoch * len(self)):
            if step == STOP:
                raise Interrupted
            yield batch


def train(
    folder: Path, case: str, fabric: Fabric, unfinished: Path, feed: type[Batches] = Batches,
    share: tuple[int, int] | None = None, steps: int = STEPS, **numbers: Any,
) -> Pretrained:  # fmt: skip
    """share: (rank, world) of the batches; the process's own where it is not given."""
    name, feeds, covariance = TRAINED[case]
    chosen = arm(name).with_teacher("miniature")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        teachers = {each: TEACHERS["miniature"].build(random=True) for each in chosen.teachers}
    rank, world = share or (fabric.global_rank, fabric.world_size)
    batches = [
        feed(each, folder / f"{each}.zarr", FEEDS[each][0], ("pretrain",), FEEDS[each][1], 0, "cpu", rank, world,
             pairs=chosen.pairs if each == "miniature" else "none")
        for each in feeds
    ]  # fmt: skip
    student = build_student("swin-nano", chosen.paths, stochastic_depth=0.0, seed=0)
    # No warm-up: every step moves the weights, so that a state which is not carried over shows.
    optimisation = Optimisation(
        steps=steps, learning_rate=2e-3, warmup=0.0, hidden=32, width=32, covariance=covariance, **numbers
    )  # type: ignore[arg-type]
    return pretrain(chosen, student, teachers, batches, VIEWS, optimisation, unfinished, fabric)


@contextmanager
def gradients() -> Iterator[list[dict[str, torch.Tensor]]]:
    """What the loop is about to clip, step after step."""
    seen, clip = [], loop.clip

    def spy(module: torch.nn.Module, limit: float, jointly: bool) -> torch.Tensor:
        seen.append({name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None})
        return clip(module, limit, jointly)

    loop.clip = spy
    try:
        yield seen
    finally:
        loop.clip = clip


def measure(folder: Path, case: str, fabric: Fabric, unfinished: Path, **changes: Any) -> dict[str, Any]:
    with gradients() as seen:
        run = train(folder, case, fabric, unfinished, **changes)
    return {"gradients": seen[0] if seen else {}, "history": run.history.to_dict("list")}


def work(folder: Path) -> None:
    """One process, alone or of several: every case, and the results of rank 0 in a file."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    parallel = DDPStrategy(timeout=timedelta(seconds=PATIENCE_S))
    fabric = Fabric(accelerator="cpu", devices=world, strategy=parallel if world > 1 else "auto")
    fabric.launch()
    results = {case: measure(folder, case, fabric, folder / f"{world}-{case}.pt") for case in TRAINED}
    if world > 1:
        results |= resume(folder, fabric)
    if fabric.is_global_zero:
        torch.save(results, folder / f"{world}.pt")


def resume(folder: Path, fabric: Fabric) -> dict[str, Any]:
    results: dict[str, Any] = {}
    try:
        train(folder, "deo", fabric, folder / "stopped-by-two.pt", Stopping, checkpoint_every_s=0.0)
    except Interrupted:
        results["continued"] = measure(folder, "deo", fabric, folder / "stopped-by-one.pt")
    try:  # rank 1 sees another folder
        train(folder, "deo", fabric, folder / str(fabric.global_rank) / "stopped.pt")
    except BrewError as error:
        results["apart"] = str(error)
    return results


def results_of(file: Path, command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, env=environment(ROOT), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(file, weights_only=True)


def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def torchrun(*arguments: str | Path) -> list[str]:
    """Two processes, at a free port."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [*launcher, *map(str, arguments)]


def build_stores(folder: Path) -> None:
    world = render(torch.arange(16), 5, products=("multispectral", "optical", "materials", "scene"), size=32)
    world["materials_by_date"] = world.pop("materials")
    dims = {
        "multispectral": ("time", "band", "y", "x"), "optical": ("time", "optical_band", "optical_y", "optical_x"),
        "materials_by_date": ("y", "x"), "scene": (),
    }  # fmt: skip
    for name, (variables, _) in FEEDS.items():
        dates = slice(0, 2 if name == "miniature" else 1)
        images = {each: (world[each][:, dates] if "time" in dims[each] else world[each]).numpy() for each in variables}
        declared = {
            each: Variable(("sample", *dims[each]), values.shape[1:], values.dtype.name)
            for each, values in images.items()
        }
        block = images | {"split": np.array(["pretrain"] * 16, dtype=object)}
        write_store(folder / f"{name}.zarr", 16, declared | {"split": Variable(("sample",), (), "text")}, [block], {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    build_stores(folder)
    return folder


@pytest.fixture(scope="module")
def alone() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="module")
def one(folder) -> dict[str, Any]:
    """What one process gets, uninterrupted."""
    return results_of(folder / "1.pt", [sys.executable, __file__, str(folder)])


@pytest.fixture(scope="module")
def two(folder, alone) -> dict[str, Any]:
    """What two processes get, beside the checkpoints of runs that stopped."""
    with pytest.raises(Interrupted):
        train(folder, "deo", alone, folder / "stopped-by-one.pt", Stopping, checkpoint_every_s=0.0)
    (folder / "0").mkdir()
    shutil.copy(folder / "stopped-by-one.pt", folder / "0" / "stopped.pt")
    return results_of(folder / "2.pt", torchrun(__file__, folder))


def assert_same_history(found: dict[str, list[float]], expected: dict[str, list[float]], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=tolerance, abs=tolerance), name


def assert_same_gradients(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    difference = torch.cat([(found[name] - expected[name]).flatten() for name in expected]).norm()
    assert difference <= 1e-5 * torch.cat([value.flatten() for value in expected.values()]).norm()


@pytest.mark.parametrize("case", [name for name, (_, _, covariance) in TRAINED.items() if covariance == "global"])
def test_two_processes_have_the_losses_and_gradients_of_one(one, two, case):
    assert len(two[case]["history"]["step"]) == STEPS
    assert_same_gradients(two[case]["gradients"], one[case]["gradients"])
    first = {name: values[:1] for name, values in one[case]["history"].items()}
    assert_same_history({name: values[:1] for name, values in two[case]["history"].items()}, first, 1e-5)
    # Later ones only nearly: where a gradient is about zero, AdamW's first steps follow its sign.
    assert_same_history(two[case]["history"], one[case]["history"], 1e-3)


def test_a_local_covariance_is_each_process_own_under_the_whole_batch_s_scale(one, two, folder, alone, monkeypatch):
    monkeypatch.setattr(loop, "similarities", partial(processes_fixed, loop.similarities))
    shares = [
        measure(folder, "local", alone, folder / f"share-{rank}.pt", share=(rank, 2), steps=1) for rank in range(2)
    ]
    mean = {name: (value + shares[1]["gradients"][name]) / 2 for name, value in shares[0]["gradients"].items()}
    assert_same_gradients(two["local"]["gradients"], mean)
    for name in ("multispectral/compression", "multispectral/expansion", "loss"):
        logged = two["local"]["history"][name][0]
        assert logged == pytest.approx(np.mean([share["history"][name][0] for share in shares]), rel=1e-5)
    # It is another method than the whole batch's, which one process has either way.
    expansion = "multispectral/expansion"
    assert one["local"]["history"] == one["ms-only"]["history"]
    assert abs(two["local"]["history"][expansion][0] - one["local"]["history"][expansion][0]) > 0.05


def processes_fixed(similarities, *arguments, **numbers):
    return similarities(*arguments, **(numbers | {"processes": 2}))


def test_two_processes_continue_what_one_began(one, two):
    assert two["continued"]["history"]["step"] == list(range(STEPS))
    assert_same_history(two["continued"]["history"], one["deo"]["history"], 1e-3)


def test_one_process_continues_what_two_began(one, two, folder, alone):
    ours, theirs = checkpoint.load(folder / "stopped-by-one.pt"), checkpoint.load(folder / "stopped-by-two.pt")
    assert theirs["step"] == ours["step"] == STOP
    assert shapes(ours) == shapes(theirs)
    continued = measure(folder, "deo", alone, folder / "stopped-by-two.pt")
    assert_same_history(continued["history"], one["deo"]["history"], 1e-3)


def shapes(state: Any) -> Any:
    """A checkpoint's structure: nothing in it may belong to a process."""
    if isinstance(state, dict):
        return {key: shapes(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [shapes(value) for value in state]
    return tuple(state.shape) if isinstance(state, torch.Tensor) else type(state)


def test_a_checkpoint_that_not_all_processes_see_is_an_error(two):
    assert "processes start at steps [2, 0]" in two["apart"] and "a folder that every machine sees" in two["apart"]


@given(world=st.sampled_from([1, 2, 4]), epoch=st.integers(0, 5), seed=st.integers(0, 99))
def test_every_sample_is_seen_once_per_epoch_whatever_the_number_of_processes(folder, world, epoch, seed):
    path, variables = folder / "aerial.zarr", ("optical",)
    shares = [Batches("aerial", path, variables, ("pretrain",), 4, seed, "cpu", rank, world) for rank in range(world)]
    steps = list(zip(*(share.epoch(epoch) for share in shares), strict=True))
    seen = [torch.cat([batch.samples for batch in step]).tolist() for step in steps]
    assert sorted(sample for step in seen for sample in step) == list(range(16))
    together = Batches("aerial", path, variables, ("pretrain",), 4, seed)
    assert seen == [batch.samples.tolist() for batch in together.epoch(epoch)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory, folder) -> Path:
    """A tree with a scale small enough for a test, built up to the stage `pretrain`."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "brew", tree / "brew", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", tree)
    (tree / "scales").mkdir()
    shutil.copytree(folder / "scenes.zarr", tree / "data" / "stores" / "small" / "miniature.zarr")
    (tree / "reports" / "small" / "stages" / "data").mkdir(parents=True)
    (tree / "reports" / "small" / "stages" / "data" / "sources.csv").write_text("source\nminiature\n")
    scale(tree, steps=3)
    return tree


def scale(tree: Path, steps: int, processes: int | str = "auto", **optimisation: float) -> None:
    feed = {"source": "miniature", "variables": ["multispectral", "optical"], "splits": ["pretrain"], "batch": 8}
    pretraining = {
        "trunk": "swin-nano", "processes": processes, "feeds": [feed],
        "views": {"global_size": 32, "local_size": 16, "locals": 2},
        "optimisation": {"steps": steps, "hidden": 32, "width": 32, "checkpoint_every_s": 0, **optimisation},
    }  # fmt: skip
    (tree / "scales" / "small.yaml").write_text(yaml.safe_dump({"bits": "native", "pretraining": pretraining}))
    generated = parameter_file("small", tree)
    generated.parent.mkdir(exist_ok=True)
    generated.write_text(parameters_text("small", tree))


def python(tree: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment(tree) | {"BREW_THREADS": "1"} | variables,
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


MAIN = ("-m", "brew", "pretrain", "--scale", "small", "--arm", "ms-only")
STAGE = (
    "from brew.compendium.stages import begin, pretrain_arm; "
    "pretrain_arm.train(begin('small', explore=False), 'ms-only')"
)
#: The stage runs once per argument, which is its number of processes; starting Python takes longer than a run.
STAGES = f"""
import glob, os, shutil, sys
for run, processes in enumerate(sys.argv[1:]):
    os.environ["BREW_PROCESSES"] = processes
    {STAGE}
    assert not glob.glob("scratch/unfinished/*"), "the stage keeps an unfinished run"
    shutil.copytree("reports/small/stages/pretrain/ms-only", f"left/{{run}}")
"""


def left(tree: Path, *processes: int) -> list[tuple[bytes, bytes]]:
    """What the stage leaves by each number of processes: a student and a history."""
    python(tree, "-c", STAGES, *map(str, processes))
    runs = [tree / "left" / str(run) for run in range(len(processes))]
    found = [((run / "student.pt").read_bytes(), (run / "history.csv").read_bytes()) for run in runs]
    shutil.rmtree(tree / "left")
    return found


@pytest.fixture(scope="module")
def by_forks(tree) -> list[tuple[bytes, bytes]]:
    """What the stage leaves alone, and twice with two processes that it forks."""
    return left(tree, 1, 2, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_forked_processes_of_the_stage_train_as_one_does(by_forks):
    alone, shared, again = by_forks
    assert shared == again, "two forked trainings differ"
    one, two = (pd.read_csv(io.BytesIO(history)) for _, history in (alone, shared))
    assert list(one["step"]) == list(two["step"])
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)


LONG = """
import pandas as pd
from brew.pretraining.loop import Pretrained
from brew.compendium.stages import begin, pretrain_arm
train = pretrain_arm.train_share
def long(*given, **named):
    trained = train(*given, **named)
    return Pretrained(trained.student, pd.concat([trained.history] * 2000))
pretrain_arm.train_share = long
print(len(pretrain_arm.train(begin('small', explore=False), 'ms-only')))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_a_history_longer_than_a_pipe_holds_does_not_keep_a_forked_process(tree):
    assert python(tree, "-c", LONG, BREW_PROCESSES="2").split() == ["6000"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_an_error_of_a_forked_process_reaches_the_notebook(tree):
    scale(tree, steps=3, learning_rate=1e30)
    done = subprocess.run(
        [sys.executable, "-c", STAGE], cwd=tree, env=environment(tree) | {"BREW_PROCESSES": "2"}, capture_output=True,
        text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    scale(tree, steps=3)
    shutil.rmtree(tree / "scratch")
    assert done.returncode
    assert done.stderr.splitlines()[-1].startswith("brew.errors.BrewError: "), done.stderr[-2000:]


def test_the_stage_takes_what_a_run_from_the_shell_left(tree):
    assert "holds the last step" in python(tree, *MAIN)
    (unfinished,) = (tree / "scratch" / "unfinished").glob("small-ms-only-*.pt")
    state = checkpoint.load(unfinished)
    assert state["step"] == 3
    # The first run takes it, and the second trains.
    taken, trained = left(tree, 1, 1)
    assert taken == trained
    # It is taken, not trained again: a history that training would not give comes through.
    state["history"][0]["loss"] = 123.0
    checkpoint.save(unfinished, state)
    assert b"123.0" in left(tree, 1)[0][1]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_processes_that_the_stage_launches_train_as_those_that_it_forks(tree, by_forks):
    scale(tree, steps=3, processes=2)
    (launched,) = left(tree, 1)
    scale(tree, steps=3)
    assert launched == by_forks[1]


@contextmanager
def running(tree: Path) -> Iterator[tuple[subprocess.Popen, list[psutil.Process], Path]]:
    """A run of two processes that is far from its end, once it has left a checkpoint."""
    scale(tree, steps=100_000)
    with (tree / "log").open("w") as log:
        command = torchrun(*MAIN)
        run = subprocess.Popen(command, cwd=tree, env=environment(tree), stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: any((tree / "scratch" / "unfinished").glob("small-ms-only-*.pt")), run)
        (unfinished,) = (tree / "scratch" / "unfinished").glob("small-ms-only-*.pt")
        workers = psutil.Process(run.pid).children()
        assert sorted(worker.environ()["RANK"] for worker in workers) == ["0", "1"]
        yield run, sorted(workers, key=lambda worker: worker.environ()["RANK"]), unfinished
        wait_until(lambda: not any(alive(worker) for worker in workers))
    finally:
        run.kill()
        run.wait()
        shutil.rmtree(tree / "scratch")
        scale(tree, steps=3)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(met: Any, run: subprocess.Popen | None = None) -> None:
    start = time.monotonic()
    while not met():
        assert time.monotonic() - start < PATIENCE_S
        assert run is None or run.poll() is None, "the run ended by itself"
        time.sleep(0.05)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_run_and_leaves_a_checkpoint(tree, rank):
    with running(tree) as (run, workers, unfinished):
        workers[rank].send_signal(signal.SIGKILL)
        assert run.wait(PATIENCE_S) != 0
        log = (tree / "log").read_text()
        assert f"error: process {1 - rank} of 2: " in log and f"{unfinished} holds the last checkpoint" in log
        assert "Root Cause" in log and f"rank      : {rank}" in log.split("Root Cause")[1] and "Signal 9" in log
        assert checkpoint.load(unfinished)["step"] >= 1


def test_a_launcher_that_dies_takes_its_processes_with_it(tree):
    with running(tree) as (run, _, _):
        run.kill()


if __name__ == "__main__":
    work(Path(sys.argv[1]))
