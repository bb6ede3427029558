"""The server that forks a run's notebooks: a fork is a new Python in all that a program can tell, and ends as one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from brew.compendium import environment
from brew.compendium.notebooks import fork_server
from brew.files import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a fork with its parent")

#: A module that says what a program can tell of itself, and ends with the status that it is given.
TELLER = """
import json, os, sys, wave
print(json.dumps({
    "arguments": sys.argv[1:], "folder": os.getcwd(), "variable": os.environ.get("GIVEN"), "name": __name__,
    "path": sys.path[0], "hash": hash("brew"), "forked": os.getppid() == int(os.environ.get("SERVER", 0)),
}))
sys.exit(int(sys.argv[1]))
"""
WAITER = """
import os, pathlib, subprocess, time
worker = subprocess.Popen(["sleep", "600"])
pathlib.Path(".pids").write_text(f"{os.getpid()} {worker.pid}")
pathlib.Path(".pids").rename("pids")
try:
    time.sleep(600)
except KeyboardInterrupt:
    worker.kill()
    raise SystemExit(7)
"""
CLIENT = (
    "import sys; from brew.compendium.notebooks.fork_server import fork; sys.exit(fork({!r}, sys.argv[1:]).follow())"
)


def heed_interrupts() -> None:
    """A shell's background job ignores interrupts, and so would all that the job starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server that has imported the standard library's `wave`; the variables by which programs find it."""
    folder = tmp_path_factory.mktemp("server")
    address = folder / "server"
    variables = environment.notebook(os.environ, portable=True)
    command = [sys.executable, fork_server.__file__, str(address), "wave", "absent"]
    started = subprocess.Popen(command, env=variables, preexec_fn=heed_interrupts)
    while not address.exists():
        time.sleep(0.01)
    told = {fork_server.SERVER: str(address), fork_server.SETTINGS: environment.settings(variables)}
    yield variables | told | {"SERVER": str(started.pid)}
    assert started.poll() is None, "the server outlives its forks"
    started.terminate()
    started.wait()


def client(module: str, folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    given = variables | {"PYTHONPATH": str(ROOT), "GIVEN": "given"}
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT.format(module), *arguments],
        cwd=folder,
        env=given,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def test_a_fork_is_a_new_python(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "teller.py").write_text(TELLER)
    with client("teller", tmp_path, server, "3", "b c") as running:
        forked = json.loads(running.communicate()[0])
    anew = subprocess.run(
        [sys.executable, "-m", "teller", "3", "b c"],
        cwd=tmp_path,
        env=server | {"GIVEN": "given"},
        stdout=-1,
        text=True,
    )
    assert running.returncode == anew.returncode == 3
    assert forked.pop("forked")
    alone = json.loads(anew.stdout)
    assert not alone.pop("forked")
    assert forked == alone


def started(folder: Path) -> list[psutil.Process]:
    while not (folder / "pids").exists():
        time.sleep(0.01)
    return [psutil.Process(int(pid)) for pid in (folder / "pids").read_text().split()]


def test_a_fork_ends_with_its_client_and_takes_its_workers_along(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "waiter.py").write_text(WAITER)
    with client("waiter", tmp_path, server) as running:
        processes = started(tmp_path)
        running.kill()
    assert not psutil.wait_procs(processes, timeout=10)[1]


def test_an_interrupt_reaches_the_fork_and_its_status_the_client(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "waiter.py").write_text(WAITER)
    with client("waiter", tmp_path, server) as running:
        processes = started(tmp_path)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 7
    assert not psutil.wait_procs(processes, timeout=10)[1]


def test_a_killed_fork_leaves_no_worker(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "waiter.py").write_text(WAITER)
    with client("waiter", tmp_path, server) as running:
        processes = started(tmp_path)
        processes[0].kill()
        assert running.wait(10) == 128 + signal.SIGKILL
    assert not psutil.wait_procs(processes, timeout=10)[1]


def test_other_settings_start_a_new_python(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    same = environment.settings(server | {"JPY_PARENT_PID": "1", "HOME": "/elsewhere"})
    other = environment.settings(server | {"OMP_NUM_THREADS": "2"})
    native = environment.settings(environment.notebook(os.environ, portable=False))
    assert same == server[fork_server.SETTINGS]
    assert fork_server.fork("teller", [], other) is fork_server.fork("teller", [], native) is None
    monkeypatch.setenv(fork_server.SERVER, str(ROOT / "absent"))
    assert fork_server.fork("teller", [], same) is None
