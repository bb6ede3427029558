"""DVC, reading the pipeline of one scale: ``python -m brew.compendium.one_pipeline FILE ARGUMENT ...``.

At each command DVC 3.67 reads every dvc.yaml and dvc.lock below the root: of eleven scales ten are read for nothing,
since no scale reads what another one leaves (`tests/compendium/test_pipeline.py`). `dvc` itself works as ever.
"""

import sys
from functools import cached_property

import dvc.repo
from dvc.cli import main
from dvc.repo.index import Index


def read_only(file: str) -> type[dvc.repo.Repo]:
    """DVC's repository whose stages are those of `file`, a dvc.yaml as seen from the working directory."""

    class OnePipeline(dvc.repo.Repo):
        @cached_property
        def index(self) -> Index:
            return Index.from_file(self, file)

    return OnePipeline


if __name__ == "__main__":
    dvc.repo.Repo = read_only(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
