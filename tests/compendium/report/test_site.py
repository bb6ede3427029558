"""The report: self-contained, and its captions travel with the files."""

import matplotlib.pyplot as plt
import pandas as pd

from brew.compendium.report import site
from brew.compendium.report.style import caption_of, save, write_caption


def test_a_figure_is_the_same_bytes_twice_and_keeps_its_caption(tmp_path):
    def drawn(name):
        figure, axis = plt.subplots()
        axis.plot([0, 1])
        return save(figure, tmp_path / name, "A line.")

    one, other = drawn("one.png"), drawn("other.png")
    plt.close("all")
    assert one.read_bytes() == other.read_bytes()
    assert caption_of(one) == "A line."


def test_a_page_embeds_pictures_and_escapes_what_tables_hold(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame({"backbone": ["<b>deo</b>"], "score": ["1.0"]}).to_csv(path, index=False)
    write_caption(path, "Scores & intervals.")
    page = site.render(
        "t", ["l"], {"commit": "abc"}, [site.Section("Results", "", [site.table(path, "pages/x.html")])], [], []
    )
    assert "&lt;b&gt;deo" in page and "<b>deo" not in page
    assert "Scores &amp; intervals." in page and 'href="pages/x.html"' in page and "abc" in page


def test_a_table_prints_emphasis_and_the_paper_apart_and_links_its_file(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame(
        {"backbone": ["deo", "2*3 and 4*5"], "oscd": ["**40.0 [30.0, 50.0]** (paper: 60.5, 59.2?)", "-"]}
    ).to_csv(path, index=False)
    write_caption(path, "Scores.")
    exhibit = site.table(path, "pages/x.html", "tables/table.csv")
    assert '<strong>40.0 [30.0, 50.0]</strong> <span class="paper">paper: 60.5, 59.2?</span>' in exhibit.html
    assert "2*3 and 4*5" in exhibit.html and exhibit.html.count("<strong>") == 1
    page = site.render("t", ["l"], {}, [site.Section("Results", "", [exhibit])], [], [])
    assert 'href="tables/table.csv"' in page
