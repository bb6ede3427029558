"""Settings and fixtures of all tests."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# The first example of a test pays for imports, and continuous integration is slow at times: no time limit per example.
# Examples are the same on every run, so that a test fails for a change and for nothing else; `make flood` tries others.
settings.register_profile("brew", deadline=None, derandomize="BREW_FLOOD" not in os.environ)
settings.load_profile("brew")

# Tensors of tests are small: two threads on two shared cores cost more than they bring.
torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Below a flood of odd inputs, how many each door was given."""
    if "BREW_FLOOD" in os.environ:
        from tests import flood  # after the profile above, which its settings start from

        terminalreporter.write_line(flood.table())


@pytest.fixture
def brew_data() -> Path:
    """The folder of real data, `BREW_DATA`; tests that need it are skipped without."""
    folder = os.environ.get("BREW_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BREW_DATA names no folder of real data")
    return Path(folder)
