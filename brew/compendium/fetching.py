"""`make data BENCHMARK=...`: fetch a benchmark's files into ``$BREW_DATA`` and describe them."""

import argparse

from brew.data.fetch import fetch
from brew.data.sources.catalogue import source
from brew.data.sources.describe import describe
from brew.errors import BrewError
from brew.evaluation.benchmarks import benchmark
from brew.files import data_root


def fetch_benchmark(name: str) -> None:
    """Fetch, check and unpack what the benchmark's source publishes; its manifest is written if there is none.

    Raises BrewError if nothing can be fetched by a program, saying how to obtain it.
    """
    entry = source(benchmark(name).source)
    print(f"{entry.name}: {entry.summary}\nlicence: {entry.licence}")
    if entry.folder is None:
        print("nothing to fetch: it is generated")
        return
    remotes = entry.remotes()
    if not remotes:
        raise BrewError(f"{name} cannot be fetched by a program. To obtain it: {entry.obtain}")
    base = data_root()
    if base is None:
        raise BrewError("BREW_DATA is not set; expected the folder that data sets lie in. Set it and run again")
    folder = base / entry.folder
    folder.mkdir(parents=True, exist_ok=True)
    fetch(remotes, folder, entry.obtain)
    fetch(entry.listed(folder), folder, entry.obtain)
    if entry.manifest.is_file():
        print(f"{entry.manifest} is kept; `python -m brew manifest {entry.name}` describes these files anew")
    else:
        describe(entry)


def main(arguments: list[str]) -> int:
    """`brew data BENCHMARK`."""
    parser = argparse.ArgumentParser(prog="brew data", description="Fetch a benchmark's files into BREW_DATA.")
    parser.add_argument("benchmark", help="a name of docs/benchmarks.md, such as m-eurosat")
    fetch_benchmark(parser.parse_args(arguments).benchmark)
    return 0
