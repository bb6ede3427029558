"""`make rehearse SCALE=paper`: every step of a scale, in small, before it costs anything.

The committed tree is cloned below `scratch/`. There the scale's parameters shrink (`rehearsal.small_scale`), each of
its sources gets a few samples in its published layout (`rehearsal.layouts`), and weights that have to be obtained are
random (`rehearsal.stand_ins`). Then the pipeline runs as `make repro` runs it. Nothing that it scores is a result, and
every page, table and figure says so.

The folder stays. A rehearsal that was interrupted goes on there, and one of a later commit runs what changed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brew.compendium import environment, regeneration
from brew.compendium.rehearsal.cells import Cells, cells_of
from brew.compendium.rehearsal.layouts import LAYOUTS
from brew.compendium.rehearsal.small_scale import cut, small, sources_of
from brew.compendium.repro import repro
from brew.compendium.scales import MINIATURE, PARAMETERS, SCALES, merged, parameter_file
from brew.compendium.settings import load
from brew.compendium.sync import sync, yaml_text
from brew.data.sources.catalogue import SOURCES
from brew.errors import BrewError
from brew.evaluation.cache_keys import sources_digest
from brew.files import ROOT, SCRATCH, Layout

_WRITTEN = "written-by.txt"


def rehearse(scale: str, folder: Path, benchmarks: Sequence[str] = (), backbones: Sequence[str] = ()) -> Cells:
    """Rehearse the scale in `folder`: its tree and the data beside it; returns what was scored.

    benchmarks, backbones: of the scale's, all if none is named. Raises BrewError for a source without a layout, and if
    a stage fails.
    """
    wanted = cut(small(merged(scale)), benchmarks, backbones)
    tree, data = folder / "tree", folder / "data"
    bring(tree)
    write_scale(scale, wanted, tree)
    with _data_at(data):
        describe(tree, write_data(data, sources_of(wanted["data"])))
        if repro(scale, root=tree):
            raise BrewError(
                f"a stage failed in {tree}; expected the whole of scale {scale} there. DVC's lines above say which "
                "one; the same command goes on from there"
            )
    return cells_of(load(scale, tree), site(scale, tree) / "scores" / "scores.csv")


def site(scale: str, tree: Path) -> Path:
    """Where the report of a scale lies in a tree."""
    return tree / Layout(scale).site.relative_to(ROOT)


def bring(tree: Path, root: Path = ROOT) -> None:
    """The committed tree of `root` in `tree`: cloned, or brought to the commit with what it computed kept."""
    if not (tree / ".git").is_dir():
        return regeneration.clone(tree, root)
    for command in (["fetch", "--quiet", str(root), "HEAD"], ["reset", "--quiet", "--hard", "FETCH_HEAD"]):
        try:
            subprocess.run(["git", *command], cwd=tree, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise BrewError(
                f"{tree} cannot be brought to the commit of {root} ({error}); expected a clone of it. Delete {tree}"
            ) from error


def write_scale(scale: str, wanted: Mapping[str, Any], tree: Path) -> None:
    """Put the scale's parameters into the tree in place of its own, and write what DVC reads of them."""
    if scale == MINIATURE:
        whole = {"scale": merged(scale)["scale"]} | dict(wanted)
        (tree / PARAMETERS).write_text(yaml_text(whole), encoding="utf-8")
    else:
        (tree / SCALES / f"{scale}.yaml").write_text(yaml_text(wanted), encoding="utf-8")
    sync(tree)


def write_data(data: Path, names: Sequence[str]) -> list[str]:
    """Write the sources' files if they are absent, or other code wrote them; returns those that have files."""
    code, note = sources_digest("brew.compendium.rehearsal.layouts"), data / _WRITTEN
    if not note.is_file() or note.read_text(encoding="utf-8") != code:
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        note.write_text(code, encoding="utf-8")
    found = [name for name in names if name in LAYOUTS]
    for name in found:
        folder = data / str(SOURCES[name].folder)
        if not folder.is_dir():
            partial = data / f".{name}"
            shutil.rmtree(partial, ignore_errors=True)
            LAYOUTS[name](partial)
            partial.rename(folder)
    return found


def describe(tree: Path, names: Sequence[str]) -> None:
    """Write the sources' manifests in the tree."""
    if not names:  # `brew manifest` without a name describes others
        return
    command = [sys.executable, "-m", "brew", "manifest", *names]
    done = subprocess.run(command, cwd=tree, env=environment.pipeline(os.environ), capture_output=True, text=True)
    if done.returncode:
        raise BrewError(f"the files of the rehearsal cannot be described: {done.stderr.strip()}")


@contextmanager
def _data_at(folder: Path) -> Iterator[None]:
    before = os.environ.get("BREW_DATA")
    os.environ["BREW_DATA"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BREW_DATA"]
        else:
            os.environ["BREW_DATA"] = before


def main(arguments: list[str]) -> int:
    """`brew rehearse [SCALE] [--benchmarks NAME ...] [--backbones NAME ...]`; exit status 1 if a cell stayed silent."""
    parser = argparse.ArgumentParser(prog="brew rehearse", description="Run every step of a scale in small.")
    parser.add_argument("scale", nargs="?", default=MINIATURE, help="miniature, or a scale of scales/")
    parser.add_argument("--benchmarks", nargs="+", default=(), metavar="NAME", help="of the scale's; default: all")
    parser.add_argument("--backbones", nargs="+", default=(), metavar="NAME", help="of the scale's; default: all")
    given = parser.parse_args(arguments)
    parameter_file(given.scale)
    regeneration.check_committed()
    folder, start = SCRATCH / "rehearsal" / given.scale, time.monotonic()
    found = rehearse(given.scale, folder, given.benchmarks, given.backbones)
    minutes = (time.monotonic() - start) / 60
    page = folder / "tree" / "reports" / given.scale / "index.html"
    print(found.in_words())
    print(f"{page.relative_to(ROOT)} after {minutes:.1f} min; no results")
    return 1 if found.silent else 0
