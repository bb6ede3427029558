"""The site: links that hold, identifiers that stand once, doors from numbers and back, and the same bytes twice."""

import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vl_convert

from brew import files
from brew.compendium import scales
from brew.compendium.report.charts.gain_chart import directed
from brew.compendium.report.site import shared_assets
from brew.compendium.report.site.addresses import cell_id, number_address
from brew.compendium.report.site.number_cards import doubts
from brew.compendium.report.site.one_file import one_file
from brew.compendium.report.site.shared_assets import plain_script
from brew.compendium.report.site.table_markup import plain_table
from brew.compendium.report.style import COLOURS
from brew.compendium.stages import publish_report
from brew.errors import BrewError
from brew.files import ROOT
from tests.compendium.report.conftest import kept_libraries
from tests.compendium.report.small_report import NAMES, pages_of


class Page(HTMLParser):
    """Identifiers, links and pictures of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.alts: list[str | None] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.alts += [found.get("alt")] if tag == "img" else []


def digests(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_same_inputs_give_the_same_bytes_and_a_rehearsal_is_stamped(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "REPORTS", reports)
    monkeypatch.setattr(shared_assets, "libraries", kept_libraries)
    first = digests(reports)
    monkeypatch.setattr(scales, "is_rehearsal", lambda scale: True)
    publish_report.build("tiny")
    for path in (reports / "tiny").glob("*/*.html"):
        text = path.read_text()
        if path.parent.name != "pages":
            assert "Rehearsal: no results" in text.split("<main")[0], path
            assert text.count("<figcaption><strong>") == text.count("Rehearsal: no results.</strong>"), path
    monkeypatch.setattr(scales, "is_rehearsal", lambda scale: False)
    publish_report.build("tiny")
    assert digests(reports) == first


def test_one_file_holds_every_page_and_needs_no_other(reports: Path, tmp_path: Path) -> None:
    text = one_file(reports / "tiny")
    (tmp_path / "report.html").write_text(text)
    page = Page(tmp_path / "report.html")
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []
    for link in page.links:
        assert link.startswith(("#", "data:", "https://arxiv.org/", "https://github.com/")), link
        assert not link.startswith("#") or "--" in link or link[1:] in page.ids, link
    assert all(f'data-order="{value}"' in text for value in pd.read_csv(reports / "tiny/tables/results.csv")["value"])


def test_every_link_and_fragment_leads_somewhere_and_none_to_a_network(reports: Path) -> None:
    pages = {path: Page(path) for path in pages_of(reports)}
    assert len(pages) > 15
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(("data:", "https://arxiv.org/", "https://github.com/")):
                continue
            file, _, fragment = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            outside = target.relative_to(reports.parent).parts[0] != reports.name
            assert outside or target.is_file(), f"{path.name}: {link}"
            if fragment and "--" not in fragment and not outside:
                assert fragment in pages[target].ids, f"{path.name}: {link}"


def test_no_identifier_stands_twice_and_every_picture_has_words(reports: Path) -> None:
    for path in pages_of(reports):
        page = Page(path)
        assert [name for name, count in Counter(page.ids).items() if count > 1] == [], path
        assert all(page.alts), path


def test_a_score_leads_to_its_card_and_back(reports: Path) -> None:
    address, cell = number_address("roofs", "deo", 1.0), cell_id("roofs", "deo", 1.0)
    results = (reports / "tiny" / "chapters" / "results.html").read_text()
    assert f'id="{cell}"' in results and f'href="../{address}"' in results
    card = (
        (reports / "tiny" / "benchmarks" / "roofs.html").read_text().split('<section id="deo"')[1].split("</section")[0]
    )
    for part in ("2 seeds of pretraining", "deo-0", "deo-1", "python -m brew repro tiny segmentation",
                 f"chapters/results.html#{cell}", "pages/segmentation.html#cell-id=segmentation-1"):  # fmt: skip
        assert part in card, part


def test_the_first_screen_says_paper_answer_and_hashes_as_sha256sum_prints_them(reports: Path) -> None:
    page = (reports / "tiny" / "index.html").read_text()
    for part in ("Brewing Stronger Features", "arXiv:2602.19863", "@inproceedings", "make repro SCALE=tiny",
                 "DEO (both teachers) less MS self-distillation only"):  # fmt: skip
        assert part in page, part
    assert hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest() in page


def test_tables_are_tidy(reports: Path) -> None:
    results = pd.read_csv(reports / "tiny" / "tables" / "results.csv")
    assert {"value", "low", "high", "n", "seeds", "unit"} <= set(results.columns)
    assert set(results["benchmark"]) == set(NAMES) and (results["low"] <= results["high"]).all()
    pairs = directed(pd.read_csv(reports / "tiny" / "tables" / "pairs.csv"))
    chosen = pairs[(pairs["on"] == "roofs") & (pairs["label fraction"] == 1)].set_index(["arm", "less"])
    whole = results[(results["benchmark"] == "roofs") & (results["label fraction"] == 1)].set_index("backbone")["value"]
    one, other = chosen.loc[("deo", "ms-only")], chosen.loc[("ms-only", "deo")]
    assert one["value"] == pytest.approx(whole["deo"] - whole["ms-only"], abs=0.011)
    assert one["low"] == -other["high"] and one["seeds"] == 2
    orders = pd.read_csv(reports / "tiny" / "tables" / "orders.csv")
    places = orders.pivot(index="backbone", columns="aggregation", values="place")
    assert (places.idxmin() == "deo").all() and len(places.columns) == 5


def test_the_ledger_has_an_address_per_claim(reports: Path) -> None:
    ledger = pd.read_csv(reports / "tiny" / "tables" / "ledger.csv", dtype=str)
    assert set(ledger["id"]) <= set(Page(reports / "tiny" / "chapters" / "claims.html").ids)


def test_cells_are_escaped_and_their_marks_printed() -> None:
    frame = pd.DataFrame(
        {"backbone": ["<b>x</b>", "2*3 and 4*5"], "oscd": ["**40.0 [30.0, 50.0]** (paper: 60.5)", "-"]}
    )
    found = plain_table(frame, "t", "../", lambda row, column: "benchmarks/oscd.html#x" if column == "oscd" else "")
    assert "&lt;b&gt;x" in found and "2*3 and 4*5" in found and "<b>x" not in found
    assert '<strong><a class="door" href="../benchmarks/oscd.html#x">40.0</a> [30.0, 50.0]</strong>' in found
    assert '<span class="paper">paper: 60.5</span>' in found


def test_doubts_are_never_mixed_and_one_seed_is_exploratory() -> None:
    row = {
        "low": 1.0,
        "high": 2.0,
        "n": 8,
        "unit": "sample",
        "seeds": 1,
        "deviation over seeds": float("nan"),
        "decoders": 1,
    }
    assert "exploratory" in doubts(row)["seeds"] and "not measured" in doubts(row)["numerical"]
    several = doubts({**row, "seeds": 3, "deviation over seeds": 0.5, "numerical deviation": 0.1})
    assert "0.50, over 3 seeds" in several["seeds"] and "0.10" in several["numerical"]


def test_a_module_becomes_a_plain_script_or_says_why_not() -> None:
    assert "globalThis.t={'default':a,'B':b};" in plain_script("var a=1,b=2;export{a as default,b as B};", "t")
    with pytest.raises(BrewError, match="exports 2 times"):
        plain_script("export{a as b};export{c as d}", "t")


def test_the_assets_in_git_are_those_of_the_package() -> None:
    for name in ("site.css", "site.js"):
        kept, own = ROOT / "reports" / "assets" / name, Path(shared_assets.__file__).with_name(name)
        assert kept.read_bytes() == own.read_bytes(), "run `python -m brew report SCALE`"


#: What a dichromat sees of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_core_arms_stay_apart_under_colour_blindness(kind: str) -> None:
    core = ("random", "ms-only", "ms+optical-path", "deo", "masked", "masked+distillation")
    rgb = np.array([[int(COLOURS[name][at : at + 2], 16) / 255 for at in (1, 3, 5)] for name in core])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1)
    xyz = seen @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    close = {pair: float(np.linalg.norm(lab[pair[0]] - lab[pair[1]])) for pair in combinations(range(len(core)), 2)}
    assert min(close.values()) > 9, {(core[a], core[b]): round(each, 1) for (a, b), each in close.items() if each < 20}


def test_a_chart_is_a_picture_without_words_on_every_mark(reports: Path) -> None:
    picture = (reports / "tiny" / "figures" / "scores.svg").read_text()
    assert "aria-label" not in picture and re.search(r"DEO \(both teachers\)", picture)
    assert vl_convert.svg_to_png(picture)[1:4] == b"PNG"
