"""Notebooks as stages: the same bytes from the same results, errors that help, no process left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode, v4

from brew import command
from brew.compendium.notebooks.actions import given_parameters
from brew.compendium.notebooks.cleaning import clean, scrub
from brew.compendium.notebooks.execution import TIMINGS, NotebookFailed, execute, run, write
from brew.compendium.notebooks.pages import page, write_pages
from brew.errors import BrewError
from brew.files import ROOT


def code(source: str, tags: tuple[str, ...] = (), outputs: tuple[NotebookNode, ...] = ()) -> NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {}, outputs=list(outputs))


def save(folder: Path, name: str, *cells: NotebookNode) -> Path:
    path = folder / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=list(cells)), path)
    return path.relative_to(folder)


PARAMETERS = code("arm = 'none'\nrate = 0.1", tags=("parameters",))
# What differs between two runs unless somebody takes care: ids, addresses, folders, time, hashes, stderr.
RESTLESS = code(
    "import os, sys, time, uuid\n"
    "import matplotlib.pyplot as plt\n"
    "print(arm, rate, uuid.uuid4(), object(), os.getcwd(), hash('arm'), flush=True)\n"
    "print(time.time(), file=sys.stderr)\n"
    "plt.plot([1, 2])\n"
    "plt.savefig('figure.svg')\n"
    "plt.savefig('figure.pdf')"
)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("elsewhere") / "deeper"]
    homes = [Path.home(), account(tmp_path_factory.mktemp("home"))]
    marks = [
        {},
        {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "1", "JUPYTER_RUNTIME_DIR": "/proc"},
    ]
    for folder, home, marked in zip(folders, homes, marks, strict=True):
        notebook = save(folder, "restless", v4.new_markdown_cell("# Title"), PARAMETERS, RESTLESS)
        with pytest.MonkeyPatch.context() as patched:
            for name, value in {"HOME": str(home), **marked}.items():
                patched.setenv(name, value)
            run(notebook, {"arm": "deo", "rate": 5e-4}, Path("out", "restless.ipynb"), root=folder)
    return folders


def account(home: Path) -> Path:
    """A home whose IPython starts with a file of the user's own."""
    startup = home / ".ipython" / "profile_default" / "startup" / "mine.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("print('started'); arm = 'mine'; object = str\n")
    return home


@pytest.mark.parametrize("file", ["out/restless.ipynb", "figure.svg", "figure.pdf"])
def test_two_runs_in_two_places_by_two_accounts_give_the_same_bytes(two_runs: list[Path], file: str) -> None:
    first, second = ((folder / file).read_bytes() for folder in two_runs)
    assert first == second


def test_an_executed_notebook_holds_its_parameters_and_results_only(two_runs: list[Path]) -> None:
    notebook = nbformat.read(two_runs[0] / "out" / "restless.ipynb", as_version=4)
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1", "cell-2", "cell-3"]
    assert 'arm = "deo"\nrate = 0.0005' in notebook.cells[2].source
    printed, picture = notebook.cells[3].outputs
    assert printed.text.startswith("deo 0.0005 00000000-0000-0000-0000-000000000000 <object object at 0x0> . ")
    assert "image/png" in picture.data
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_a_finished_run_leaves_no_partial_notebook(two_runs: list[Path]) -> None:
    assert list((two_runs[0] / "scratch").rglob("*.ipynb")) == []


def test_seconds_are_logged_on_request_and_change_no_byte(
    two_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TIMINGS, str(tmp_path / "seconds.csv"))
    save(tmp_path, "restless", v4.new_markdown_cell("# Title"), PARAMETERS, RESTLESS)
    out = Path("out", "restless.ipynb")
    run(Path("notebooks", "restless.ipynb"), {"arm": "deo", "rate": 5e-4}, out, root=tmp_path)
    assert (tmp_path / out).read_bytes() == (two_runs[0] / out).read_bytes()
    rows = [line.split(",") for line in (tmp_path / "seconds.csv").read_text().splitlines()]
    assert [row[1] for row in rows] == ["1", "2", "3", ""]
    *cells, whole = (float(row[-1]) for row in rows)
    assert 0 < sum(cells) < whole


def test_a_failing_notebook_leaves_what_it_reached_outside_the_results(tmp_path: Path) -> None:
    notebook = save(
        tmp_path, "fails", PARAMETERS, code("print('reached')"), code("1 / 0"), code("print('not reached')")
    )
    with pytest.raises(NotebookFailed, match="ZeroDivisionError: division by zero") as error:
        run(notebook, {}, Path("reports", "fails.ipynb"), root=tmp_path)
    partial = tmp_path / "scratch" / "partial" / "reports-fails.ipynb"
    assert str(partial.relative_to(tmp_path)) in str(error.value)
    assert "reached" in partial.read_text()
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("there", {"arn": 1}, "has no parameter 'arn' in its cell 'parameters'; did you mean 'arm'"),
        ("ther", {}, "ther.ipynb does not exist; did you mean 'there.ipynb'"),
    ],
)
def test_a_misspelt_name_stops_before_anything_runs(tmp_path: Path, name: str, parameters: dict, message: str) -> None:
    save(tmp_path, "there", PARAMETERS)
    with pytest.raises(BrewError) as error:
        execute(Path("notebooks", f"{name}.ipynb"), parameters, Path("partial.ipynb"), root=tmp_path)
    assert message in str(error.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
def test_killing_the_pipeline_ends_kernel_and_workers(tmp_path: Path) -> None:
    wait = code(
        "import os, pathlib, subprocess, time\n"
        "worker = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('.pids').write_text(f'{os.getpid()} {worker.pid}')\n"
        "pathlib.Path('.pids').rename('pids')\n"
        "time.sleep(600)"
    )
    notebook = save(tmp_path, "waits", wait)
    runner = (
        "from pathlib import Path; from brew.compendium.notebooks.execution import run; "
        f"run(Path({str(notebook)!r}), {{}}, Path('out.ipynb'), root=Path({str(tmp_path)!r}))"
    )
    # As DVC does: a process that waits for the runner. It dies too suddenly to pass anything on.
    pipeline = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {runner!r}])"],
        cwd=ROOT,
        env={**os.environ, "DVC_STAGE": "waits"},
        stderr=subprocess.DEVNULL,
    )
    pids = tmp_path / "pids"
    assert eventually(pids.exists, seconds=60)
    processes = [int(pid) for pid in pids.read_text().split()]
    assert all(map(alive, processes))
    pipeline.send_signal(signal.SIGKILL)
    pipeline.wait()
    assert eventually(lambda: not any(map(alive, processes)), seconds=10)


def test_a_stage_whose_dvc_has_ended_while_python_started_does_not_run() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    command = [sys.executable, "-m", "brew", "--help"]
    for process, runs in ((ended.pid, False), (os.getpid(), True)):
        stage = os.environ | {"DVC_STAGE": "any", "BREW_DVC": str(process)}
        done = subprocess.run(command, cwd=ROOT, env=stage, capture_output=True, text=True)
        assert (done.returncode == 0) == runs == ("usage" in done.stdout)
        assert runs or re.match(r"error: DVC, process \d+, has ended; expected", done.stderr)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return v4.new_output("stream", name=name, text=text)


def cleaned(*outputs: NotebookNode, root: Path = Path("/where/it/lies")) -> list[NotebookNode]:
    return clean(v4.new_notebook(cells=[code("", outputs=outputs)]), root).cells[0].outputs


def test_pieces_of_stdout_are_joined_across_dropped_stderr() -> None:
    assert cleaned(stream("a\n"), stream("warning", "stderr"), stream("b\n")) == [stream("a\nb\n")]


def test_equal_ids_stay_equal_and_different_ones_different() -> None:
    one, two = "3d5b2a2c-52bb-4d6e-9a63-0c9d5c4f0a01", "9b2f1c11-0000-4aaa-8888-0c9d5c4f0a02"
    (output,) = cleaned(v4.new_output("display_data", data={"text/html": f"{one} {two} {one} T_0a1b2_row0 T_0a1b2"}))
    first, second, third, row, table = output.data["text/html"].split()
    assert first == third != second
    assert row == f"{table}_row0" != "T_0a1b2_row0"
    assert not {one, two} & {first, second}


def test_hexadecimal_numbers_of_a_result_are_kept() -> None:
    assert cleaned(stream("0xff <f at 0x7f3a12345678> /where/it/lies/reports/a.csv"))[0].text == (
        "0xff <f at 0x0> reports/a.csv"
    )


def test_live_widgets_are_dropped() -> None:
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}}
    assert cleaned(v4.new_output("display_data", data=dict(widget))) == []
    assert cleaned(v4.new_output("display_data", data={**widget, "text/plain": "50%"}))[0].data == {"text/plain": "50%"}


@given(st.lists(st.text() | st.uuids().map(str) | st.integers(2**40, 2**60).map(hex), max_size=6))
def test_cleaning_twice_is_cleaning_once(texts: list[str]) -> None:
    notebook = v4.new_notebook(cells=[code("", outputs=tuple(stream(f"{text}\n") for text in texts))])
    once = clean(notebook)
    before = json.dumps(once)
    assert json.dumps(clean(once)) == before


def test_scrubbing_leaves_the_source() -> None:
    notebook = v4.new_notebook(
        metadata={"language_info": {"name": "python", "version": "3.11.7"}, "widgets": {}},
        cells=[code("1 + 1", tags=("parameters",), outputs=(stream("2"),)), v4.new_markdown_cell("text")],
    )
    notebook.cells[0].execution_count = 4
    notebook.cells[0].metadata["collapsed"] = True
    notebook.cells[1].metadata["editable"] = False
    ids = [cell.id for cell in notebook.cells]
    scrub(notebook)
    first, second = notebook.cells
    assert (first.source, first.outputs, first.execution_count) == ("1 + 1", [], None)
    assert (first.metadata, second.metadata) == ({"tags": ["parameters"]}, {})
    assert [cell.id for cell in notebook.cells] == ids
    assert notebook.metadata["language_info"] == {"name": "python"}


def test_saving_in_jupyterlab_scrubs(tmp_path: Path) -> None:
    from jupyter_server.services.contents.filemanager import FileContentsManager
    from traitlets.config.loader import JSONFileConfigLoader

    config = JSONFileConfigLoader("jupyter_server_config.json", str(ROOT / ".jupyter")).load_config()
    source = scrub(v4.new_notebook(cells=[code("1 + 1")]))
    write(source, tmp_path / "tidy.ipynb")
    source.cells[0].outputs = [stream("2")]
    source.cells[0].execution_count = 1
    manager = FileContentsManager(root_dir=str(tmp_path), config=config)
    manager.save({"type": "notebook", "format": "json", "content": source}, "/saved.ipynb")
    assert (tmp_path / "saved.ipynb").read_bytes() == (tmp_path / "tidy.ipynb").read_bytes()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_source_notebooks_are_scrubbed(path: Path, tmp_path: Path) -> None:
    write(scrub(nbformat.read(path, as_version=4)), tmp_path / path.name)
    tidy = (tmp_path / path.name).read_bytes()
    assert path.read_bytes() == tidy, f"run `python -m brew notebook scrub {path.relative_to(ROOT)}`"


def test_a_page_needs_no_network_and_folds_code_away() -> None:
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title\n\nwith $\\alpha^2$ and\n\n$$\\frac{1}{2} < x$$\n\n[link](#title)"),
            code("arm = 'deo'", tags=("injected-parameters",)),
            code("1 < 2", outputs=(stream("a < b"), stream("not for readers", "stderr"))),
            code("", outputs=(v4.new_output("display_data", data={"text/latex": "$\\beta$"}),)),
        ]
    )
    text = page(notebook, title="a & b")
    assert "<title>a &amp; b</title>" in text
    assert text.count("<math ") == 3
    assert "$" not in text
    assert text.count('<details class="code">') == 2
    assert 'class="code parameters" open' in text
    assert "a &lt; b" in text
    assert "not for readers" not in text
    assert "<script" not in text
    assert not [part for part in ('src="http', 'href="http', "url(", "@import") if part in text]
    assert page(notebook, title="a & b") == text


def test_every_executed_notebook_becomes_a_page(two_runs: list[Path], tmp_path: Path) -> None:
    assert write_pages(two_runs[0] / "out", tmp_path / "pages") == [tmp_path / "pages" / "restless.html"]
    text = (tmp_path / "pages" / "restless.html").read_text()
    (picture,) = (tmp_path / "pages" / "pictures").iterdir()
    assert f'src="pictures/{picture.name}"' in text and picture.read_bytes()[8:12] == b"WEBP"
    assert "base64" not in text


def test_a_folder_without_notebooks_gives_no_pages(tmp_path: Path) -> None:
    with pytest.raises(BrewError, match="holds no notebook"):
        write_pages(tmp_path, tmp_path / "pages")


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("train: {rate: 5e-4, arms: {deo: {epochs: 2}}}\nseed: 1\n")
    return tmp_path


def test_parameters_come_from_files_and_assignments(sections: Path) -> None:
    files = ["params.yaml:train.arms.deo"]
    given_ = given_parameters("miniature", files, ["rate=1e-3", "arm=deo", "views=[2, 10]", "epochs=3"], root=sections)
    assert given_ == {"scale": "miniature", "rate": 0.001, "arm": "deo", "views": [2, 10], "epochs": 3}


@pytest.mark.parametrize(
    ("scale", "files", "assignments", "message"),
    [
        ("minature", [], [], "did you mean 'miniature'"),
        (None, ["params.yaml:trian"], [], "params.yaml has no section 'trian'; did you mean 'train'"),
        (None, ["params.yaml:seed"], [], "section 'seed' is 1; expected a mapping"),
        (None, ["other.yaml:train"], [], "other.yaml does not exist"),
        (None, [], ["rate"], "--set 'rate' has no value"),
        (None, [], ["rate=[1"], "not valid YAML"),
    ],
)
def test_a_wrong_command_line_is_named(
    sections: Path, scale: str | None, files: list[str], assignments: list[str], message: str
) -> None:
    with pytest.raises(BrewError) as error:
        given_parameters(scale, files, assignments, root=sections)
    assert message in str(error.value)


def test_the_command_line_ends_with_an_error_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["notebook", "run", "notebooks/none.ipynb"]) == 1
    assert capsys.readouterr().err.startswith("error: notebooks/none.ipynb does not exist")
