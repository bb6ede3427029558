"""A rehearsal's captions and pages say that they hold no results; nobody else's do."""

import pandas as pd
import pytest

from brew.compendium import stamp
from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.style import caption_of, write_caption


def test_captions_are_stamped_in_a_rehearsal_alone(tmp_path, monkeypatch):
    table = CaptionedTable("scores", pd.DataFrame({"a": [1]}), "The table holds scores.")
    assert stamp.STAMP not in table.html()
    write_caption(tmp_path / "plain.csv", "Plain.")
    assert caption_of(tmp_path / "plain.csv") == "Plain."
    monkeypatch.setattr(stamp, "stamping", True)
    table.write(tmp_path)
    assert caption_of(tmp_path / "scores.csv") == "rehearsal: no results. The table holds scores."
    assert "rehearsal: no results. The table holds scores." in table.html()


@pytest.mark.parametrize("before", ["", '<html lang="en"><head><title>brew</title></head>'])
def test_a_page_is_stamped_above_its_content_and_in_its_title(before):
    page = stamp.page(f"{before}<body>\n<main>text</main></body>")
    assert page.index("rehearsal: no results</p>") < page.index("<main>")
    assert ("<title>rehearsal: no results - brew</title>" in page) == bool(before)
