"""The small report, made once for every test of the site."""

from pathlib import Path

import pytest

from brew import files
from brew.compendium.report.site import shared_assets
from brew.compendium.stages import publish_report
from brew.files import ROOT
from tests.compendium.report.small_report import leave_stages


def kept_libraries() -> dict[str, str]:
    """The libraries of scripts as git keeps them: to bundle them takes seconds."""
    folder = ROOT / "reports" / shared_assets.FOLDER
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("charts.js", "tables.js", "tables.css")}


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of reports with the small report in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reports")
        patch.setattr(files, "REPORTS", folder)
        patch.setattr(shared_assets, "libraries", kept_libraries)
        leave_stages("tiny")
        publish_report.build("tiny")
        return folder
