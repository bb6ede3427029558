"""The environment's files say the same: what brew asks for, the lock, conda's file and the package's own bounds."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from brew.files import ROOT

ASKED = (ROOT / "requirements.in").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
CONDA = (ROOT / "environment.yml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: name -> its pins, one per line of the lock (a marker may split a package into several).
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.M)
PINS: dict[str, list[re.Match[str]]] = {}
for match in PIN.finditer(LOCK):
    PINS.setdefault(match["name"], []).append(match)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_asked() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in ASKED.splitlines())
    return [canonical(re.split(r"[\s<>=!~\[;]", line)[0]) for line in lines if line]


@pytest.mark.parametrize("name", names_asked())
def test_what_is_asked_for_is_locked(name: str) -> None:
    assert name in PINS, f"requirements.in asks for {name}; run `make lock`"


def test_nothing_is_asked_for_twice() -> None:
    assert len(names_asked()) == len(set(names_asked()))


def test_every_pin_has_a_hash_and_nothing_else_stands_in_the_lock() -> None:
    for pins in PINS.values():
        for pin in pins:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", pin["rest"]), pin["name"]
    assert PIN.sub("", LOCK).strip() == ""


@pytest.mark.parametrize("text", [ASKED, LOCK, CONDA], ids=["requirements.in", "requirements.lock", "environment.yml"])
def test_no_file_names_a_place_to_download_from(text: str) -> None:
    assert not re.search(r"://|index-url|find-links|\bfile:|@ ", text)


def test_conda_installs_the_lock_on_the_same_pythons() -> None:
    dependencies = yaml.safe_load(CONDA)["dependencies"]
    assert {"pip": ["-r requirements.lock"]} in dependencies
    python = next(entry for entry in dependencies if str(entry).startswith("python"))
    assert python.replace(" ", "") == f"python{PROJECT['requires-python']}"


def test_make_looks_for_the_same_pythons() -> None:
    low, high = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    makefile = (ROOT / "Makefile").read_text()
    assert f"(3, {low}) <= sys.version_info < (3, {high})" in makefile
    assert [f"python3.{minor}" for minor in range(int(low), int(high))] == re.findall(r"\bpython3\.\d+\b", makefile)


def test_the_running_environment_is_the_locked_one() -> None:
    from importlib.metadata import version

    for name in names_asked():
        assert version(name).partition("+")[0] in {pin["version"] for pin in PINS[name]}, f"{name}: run `make setup`"


def test_the_installer_that_setup_fetches_first_is_in_the_lock() -> None:
    assert "uv" in names_asked()
    assert "awk '/^[^ ]/ {keep = /^uv==/} keep' requirements.lock" in Path(ROOT, "Makefile").read_text()
