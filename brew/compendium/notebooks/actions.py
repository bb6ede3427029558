"""`brew notebook run|render|scrub`: what the stages of dvc.yaml call, and what tidies source notebooks."""

import argparse
from pathlib import Path
from typing import Any

from brew.compendium import stamp
from brew.compendium.notebooks.fork_server import fork
from brew.compendium.scales import is_portable, is_rehearsal, parameter_file, parse_yaml, read_yaml, scales
from brew.errors import BrewError, nearest
from brew.files import ROOT


def main(arguments: list[str]) -> int:
    """`brew notebook run|render|scrub ...`, in a fork of the run's server if there is one."""
    if forked := fork("brew", ["notebook", *arguments]):
        return forked.follow()
    parser = argparse.ArgumentParser(prog="brew notebook", description="Run, render or scrub notebooks.")
    actions = parser.add_subparsers(dest="action", required=True)

    run = actions.add_parser("run", help="execute a notebook, its parameters from the command line and from files")
    run.add_argument("notebook", type=Path)
    run.add_argument("--scale", help="passed on as the parameter `scale`, once it is known to exist")
    run.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one parameter, its value in YAML"
    )
    run.add_argument(
        "-f",
        "--file",
        action="append",
        default=[],
        metavar="FILE:SECTION",
        help="every key of a section of a YAML file",
    )
    run.add_argument("--out", type=Path, help="the executed notebook; below scratch/ if it is not given")

    render = actions.add_parser("render", help="write every executed notebook of a folder as an HTML page")
    render.add_argument("notebooks", type=Path)
    render.add_argument("pages", type=Path)

    scrub = actions.add_parser("scrub", help="take outputs and editors' metadata out of source notebooks")
    scrub.add_argument("notebook", type=Path, nargs="+")

    chosen = parser.parse_args(arguments)
    {"run": _run, "render": _render, "scrub": _scrub}[chosen.action](chosen)
    return 0


def _run(chosen: argparse.Namespace) -> None:
    from brew.compendium.notebooks.execution import run

    out = chosen.out or Path("scratch", "notebooks", chosen.notebook.name)
    given = given_parameters(chosen.scale, chosen.file, chosen.set)
    run(chosen.notebook, given, out, portable="scale" in given and is_portable(given["scale"]))


def _render(chosen: argparse.Namespace) -> None:
    from brew.compendium.notebooks.pages import write_pages

    scale = chosen.notebooks.parent.name  # reports/<scale>/notebooks
    rehearsed = scale in scales() and is_rehearsal(scale)
    write_pages(ROOT / chosen.notebooks, ROOT / chosen.pages, stamp.page if rehearsed else str)


def _scrub(chosen: argparse.Namespace) -> None:
    import nbformat

    from brew.compendium.notebooks.cleaning import scrub
    from brew.compendium.notebooks.execution import write

    for path in chosen.notebook:
        write(scrub(nbformat.read(path, as_version=4)), path)


def given_parameters(scale: str | None, files: list[str], assignments: list[str], root: Path = ROOT) -> dict[str, Any]:
    """The parameters of a command line; a later file or assignment wins over an earlier one.

    Raises BrewError for an unknown scale, file or section, and for an assignment without a value.
    """
    parameters: dict[str, Any] = {}
    if scale is not None:
        parameter_file(scale, root)
        parameters["scale"] = scale
    for entry in files:
        file, _, section = entry.partition(":")
        found: Any = read_yaml(root / file)
        for name in section.split(".") if section else ():
            if name not in found:
                raise BrewError(f"{file} has no section {section!r}; {nearest(name, tuple(found))}")
            found = found[name]
            if not isinstance(found, dict):
                raise BrewError(f"{file}: section {section!r} is {found!r}; expected a mapping of parameters to values")
        parameters.update(found)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise BrewError(f"--set {assignment!r} has no value; write --set {name}=VALUE")
        try:
            parameters[name] = parse_yaml(text)
        except BrewError as error:
            raise BrewError(f"--set {assignment!r}: {error}") from None
    return parameters
