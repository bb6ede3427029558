"""The site's facts: what a reader can check with tools of their own."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from brew import files
from brew.compendium.report import site
from brew.compendium.stages.publish_report import facts
from brew.files import ROOT, Layout


def test_the_page_gives_hashes_as_sha256sum_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    columns = {"source": ["miniature"], "samples": [3], "store": ["abc"], "made from": ["seed 1"], "licence": ["MIT"]}
    pd.DataFrame(columns).to_csv(Layout("tiny").write("data") / "sources.csv", index=False)
    found = facts(Layout("tiny"))
    for key, name in {"parameters": "scales/tiny/params.yaml", "environment": "requirements.lock"}.items():
        assert found[key] == f"{name}, SHA-256 {hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}"
        assert found[key] in site.render("t", [], found, [], [], [])
