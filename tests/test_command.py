"""One door: every command helps on a screen, says an error once, and ends with a status that scripts can read."""

import re
import subprocess
import sys

import pytest

from brew import command
from brew.command import COMMANDS, Command, main
from brew.errors import BrewError
from brew.files import ROOT

LINES = 24


def test_the_list_of_commands_comes_without_their_imports() -> None:
    code = (
        "import sys\nfrom brew.command import main\nassert main(['--help']) == 0\n"
        "heavy = {'torch', 'numpy', 'pandas', 'dvc', 'ruamel', 'nbformat'} & set(sys.modules)\nassert not heavy, heavy"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(printed.splitlines()) <= LINES
    pipeline = re.findall(r"of the pipeline alone: (.+)", printed)[0].split(", ")
    assert {*re.findall(r"^  ([a-z-]+) ", printed, re.M), *pipeline} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_on_one_screen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: brew {name} ")
    assert len(printed.splitlines()) <= LINES


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_none_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--no-such-option"])
    assert end.value.code == 2
    assert f"usage: brew {name}" in capsys.readouterr().err


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synk"]) == 2
    assert capsys.readouterr().err.startswith("error: command 'synk' is unknown; did you mean 'sync'?")
    assert main([]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["repro", "minature"], "error: scale 'minature' is unknown; did you mean 'miniature'"),
        (["arms", "minature"], "error: scale 'minature' is unknown; did you mean 'miniature'"),
        (["parameters", "tinny"], "error: scale 'tinny' is unknown; did you mean 'tiny'"),
        (["data", "m-eurosta"], "error: benchmark 'm-eurosta' is unknown; did you mean 'm-eurosat'"),
        (["manifest", "oscdd"], "error: source 'oscdd' is unknown; did you mean 'oscd'"),
        (["pretrain", "--scale", "minature", "--arm", "deo"], "error: scale 'minature' is unknown"),
        (
            ["embed", "scene.tif", "--student", "student.pt", "--out", "out.png"],
            "error: out.png ends in '.png'; expected .tif or .zarr",
        ),
    ],
)
def test_an_error_is_said_once(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(message)
    assert printed.err.count("error:") == 1


@pytest.mark.parametrize(
    ("raised", "status", "printed"),
    [(BrewError("too long"), 1, "error: too long\n"), (KeyboardInterrupt(), 130, "interrupted\n")],
)
def test_how_a_command_ends_is_its_status(
    raised: BaseException, status: int, printed: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fails(arguments: list[str]) -> int:
        raise raised

    monkeypatch.setattr(command, "fails", fails, raising=False)
    monkeypatch.setitem(COMMANDS, "fails", Command("fails", "brew.command:fails"))
    assert main(["fails"]) == status
    assert capsys.readouterr().err == printed
