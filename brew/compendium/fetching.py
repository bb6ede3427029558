"""`make data BENCHMARK=...`: fetch the files of a benchmark or source into ``$BREW_DATA`` and describe them."""

import argparse

from brew.data.fetch import fetch
from brew.data.sources.catalogue import SOURCES, source
from brew.data.sources.describe import describe
from brew.data.sources.source import Wanted
from brew.errors import BrewError
from brew.evaluation.benchmarks import benchmark
from brew.files import data_root


def fetch_benchmark(name: str, wanted: Wanted | None = None) -> None:
    """Fetch, check and unpack what the benchmark's source publishes; its manifest is written if there is none.

    name: of a benchmark or of a source. wanted: a part of a source that can be fetched in parts.
    Raises BrewError if nothing can be fetched by a program, saying how to obtain it.
    """
    entry = SOURCES[name] if name in SOURCES else source(benchmark(name).source)
    print(f"{entry.name}: {entry.summary}\nlicence: {entry.licence}")
    for what, size in entry.sizes.items():
        print(f"{what}: {size / 1e9:,.2f} GB")
    if wanted and entry.part is None:
        raise BrewError(f"{name} cannot be fetched in parts; expected no category, split or count. Leave them out")
    if entry.folder is None:
        print("nothing to fetch: it is generated")
        return
    remotes = entry.remotes()
    if not remotes and entry.part is None:
        raise BrewError(f"{name} cannot be fetched by a program. To obtain it: {entry.obtain}")
    base = data_root()
    if base is None:
        raise BrewError("BREW_DATA is not set; expected the folder that data sets lie in. Set it and run again")
    folder = base / entry.folder
    folder.mkdir(parents=True, exist_ok=True)
    fetch(remotes, folder, entry.obtain)
    fetch(entry.listed(folder), folder, entry.obtain)
    if entry.part:
        entry.part(folder, wanted or Wanted())
    if entry.manifest.is_file():
        print(f"{entry.manifest} is kept; `python -m brew manifest {entry.name}` describes these files anew")
    else:
        describe(entry)


def main(arguments: list[str]) -> int:
    """`brew data BENCHMARK`."""
    parser = argparse.ArgumentParser(prog="brew data", description="Fetch a benchmark's files into BREW_DATA.")
    parser.add_argument("benchmark", help="a name of docs/benchmarks.md, such as m-eurosat, or of a source")
    parser.add_argument("--splits", nargs="+", default=(), help="of a source that can be fetched in parts")
    parser.add_argument("--categories", nargs="+", default=(), help="of such a source")
    parser.add_argument("--count", type=int, default=0, help="samples of such a source")
    chosen = parser.parse_args(arguments)
    wanted = Wanted(tuple(chosen.splits), tuple(chosen.categories), chosen.count)
    fetch_benchmark(chosen.benchmark, None if wanted == Wanted() else wanted)
    return 0
