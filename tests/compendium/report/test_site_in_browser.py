"""The site as a reader walks through it, in Debian's Chromium without a network; skipped if no browser is here."""

import io
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader

from brew import files
from brew.compendium.report.site.one_file import one_file
from tests.compendium.report.small_report import pages_of

CHROMIUM = os.environ.get("CHROMIUM", shutil.which("chromium") or "")
#: Style sheets are not read a second time: a browser gives no script the content of a file.
AXE = {"resultTypes": ["violations"], "preload": False}
#: Pictures of a few pages, for a human look.
LOOK = files.SCRATCH / "pages"
LOCAL = ("file:", "data:", "blob:")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; install it, or name one in CHROMIUM")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, reports: Path) -> Iterator[Callable]:
    """Open a page of the scale; at the end no page has asked for anything but files, or complained."""
    faults: list[str] = []
    contexts = []

    def open_page(address: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
        page.on("request", lambda asked: None if asked.url.startswith(LOCAL) else faults.append(asked.url))
        file, marked, fragment = address.partition("#")
        page.goto((reports / "tiny" / file).as_uri() + marked + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def test_every_page_opens_without_a_request_or_an_error_and_fits_a_phone(opened, reports: Path) -> None:
    page = opened("index.html", viewport={"width": 390, "height": 844})
    wide = {}
    for path in pages_of(reports):
        page.goto(path.as_uri())
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(ids) == len(set(ids)), path
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 390:
            wide[path.name] = width
    assert wide == {}


def test_from_a_score_to_its_seeds_and_back_in_two_clicks(opened) -> None:
    page = opened("chapters/results.html")
    page.locator("#at-roofs-deo a.door").click()
    panel = page.frame_locator("#panel iframe")
    card = panel.locator("#deo")
    card.wait_for()
    assert card.locator("table.runs tbody tr").count() == 2 and "make verify" in card.locator(".doubts").inner_text()
    assert not panel.locator("#random").is_visible(), "the panel shows one card"
    card.locator("a.back").click()
    page.wait_for_url("**/chapters/results.html#at-roofs-deo")


def test_escape_closes_the_panel(opened) -> None:
    page = opened("chapters/results.html")
    page.locator("#at-roofs-deo a.door").focus()
    page.keyboard.press("Enter")
    page.frame_locator("#panel iframe").locator("#deo").click()
    page.keyboard.press("Escape")
    page.locator("#panel").wait_for(state="hidden")


def test_a_claim_is_found_by_filter_search_and_address(opened, reports: Path) -> None:
    page = opened("chapters/claims.html")
    rows = page.locator("#table-ledger tbody tr")
    ledger = pd.read_csv(reports / "tiny" / "tables" / "ledger.csv", dtype=str)
    assert rows.count() == len(ledger)
    page.locator("#table-ledger select[name=Table]").select_option("ablation")
    playwright.expect(rows).to_have_count(int((ledger["table"] == "ablation").sum()))
    page.locator("#table-ledger select[name=Table]").select_option("")
    page.locator("#table-ledger input[type=search]").fill("abstract of arXiv")
    assert 0 < rows.count() < 10
    page.goto(page.url.split("#")[0] + "#ablation-001")
    assert page.locator("#ablation-001").is_visible()


def test_a_table_sorts_by_value(opened) -> None:
    page = opened("chapters/results.html")
    head = page.locator("#table-segmentation th[data-benchmark=roofs]")
    first = page.locator("#table-segmentation tbody tr").first
    for direction in ("ascending", "descending"):  # a table sorts after the click's event
        head.click(position={"x": 4, "y": 4})
        playwright.expect(head).to_have_attribute("aria-sort", direction)
    playwright.expect(first).to_have_attribute("data-backbone", "deo")


def test_what_is_chosen_holds_for_tables_and_charts(opened) -> None:
    page = opened("chapters/results.html")
    page.locator("#figure-scores .chart-view svg").wait_for()
    assert page.locator("#figure-scores .chart-view").inner_text().count("random trunk") > 0
    page.locator(".choose summary").click()
    page.locator("input[name=backbone][value=random]").uncheck()
    page.locator("#table-segmentation tr[data-backbone=random]").wait_for(state="hidden")
    page.wait_for_function("!document.querySelector('#figure-scores .chart-view').textContent.includes('random trunk')")
    assert "DEO" in page.locator("#figure-scores .chart-view").inner_text()


def test_any_two_are_compared_at_an_address(opened) -> None:
    page = opened("chapters/compare.html#random--deo--1")
    page.locator("#drawn svg").wait_for()
    assert page.locator("#differences caption").inner_text() == "random trunk less DEO (both teachers)"
    assert "one seed" in page.locator("#differences tbody").inner_text()
    assert "crops" in page.locator("#differences tbody th", has_text="multispectral").inner_text()
    page.locator("select[name=arm]").select_option("ms-only")
    page.wait_for_url("**#ms-only--deo--1")
    cells = page.locator("#differences tbody tr").first.inner_text()
    assert cells.split()[1].startswith("-") and cells.split()[-1] == "2"


def test_a_patch_is_chosen_by_key_and_address_and_every_backbone_answers(opened) -> None:
    page = opened("chapters/patches.html#image-2-patch-10")
    pressed = page.locator("#patches button[aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == "patch in row 2, column 2"
    assert page.locator("input[name=image]").nth(1).is_checked()
    pressed.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.url.endswith("#image-2-patch-18")
    for words in page.locator("canvas + figcaption small").all_inner_texts():
        low, high = map(float, words.split(" to "))
        assert -1 <= low < high <= 1


def test_one_file_draws_its_charts_and_leads_to_a_card(opened, reports: Path) -> None:
    (reports / "whole.html").write_text(one_file(reports / "tiny"))
    page = opened("../whole.html")
    (reports / "whole.html").unlink()
    page.locator("#figure-scores").scroll_into_view_if_needed()
    page.locator("#figure-scores .chart-view svg").wait_for()
    page.locator("#at-roofs-deo a.door").click()
    page.wait_for_url("**/whole.html#roofs-deo")
    assert page.locator("#roofs-deo .runs").is_visible()


def test_without_a_script_tables_pictures_and_doors_stand(opened) -> None:
    page = opened("chapters/results.html", java_script_enabled=False)
    assert page.locator("#table-segmentation tbody tr").count() == 3
    picture = page.locator("#figure-scores img")
    assert picture.bounding_box()["width"] > 300
    page.locator("#at-roofs-deo a.door").click()
    page.wait_for_url("**/benchmarks/roofs.html#deo")
    assert page.locator("#deo .runs").is_visible()


def letters(text: str) -> str:
    """Without blanks and line breaks, and with ligatures taken apart: a printed page has others than the screen."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def test_print_loses_no_row_of_the_ledger(opened, reports: Path) -> None:
    page = opened("chapters/claims.html", viewport={"width": 1040, "height": 700})
    page.emulate_media(media="print")
    cells = page.evaluate(
        "[...document.querySelectorAll('#table-ledger td')].filter(each => each.textContent.trim())"
        ".map(each => each.getBoundingClientRect()).filter(box => !box.height || box.right > innerWidth + 1).length"
    )
    assert cells == 0, "cells are cut off"
    pages = PdfReader(io.BytesIO(page.pdf(landscape=True))).pages
    printed = letters("".join(each.extract_text() for each in pages))
    texts = page.locator("#table-ledger tbody td").all_inner_texts()
    assert texts and [text for text in texts if letters(text) not in printed] == []


#: In the dark, colours alone are other ones.
PAGES = {
    "light": ("index.html", "chapters/results.html", "chapters/compare.html", "benchmarks/roofs.html",
              "chapters/lineage.html", "chapters/cases.html", "chapters/patches.html", "pages/segmentation.html"),
    "dark": ("index.html", "chapters/results.html", "chapters/patches.html"),
}  # fmt: skip
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for address in PAGES[scheme]:
        page = opened(address, color_scheme=scheme)
        page.wait_for_timeout(100)
        page.screenshot(path=LOOK / f"{scheme}-{Path(address).stem}.png")
        found = axe.run(page, options={**AXE, **RULES[scheme]}).response["violations"]
        grave = [
            (each["id"], each["nodes"][0]["html"][:150]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert grave == [], address


def test_pages_open_within_seconds_and_stay_small(opened, reports: Path) -> None:
    page = opened("chapters/results.html")
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert loaded < 10_000, "milliseconds, on a machine that others use too"
    scale = sum(each.stat().st_size for part in ("chapters", "benchmarks", "figures", "tables", "scores", "pages")
                for each in (reports / "tiny" / part).rglob("*"))  # fmt: skip
    assert scale < 3e6
