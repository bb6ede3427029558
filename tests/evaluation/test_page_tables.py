"""Tables are written where a page has a place for them, and nowhere else."""

import pytest

from brew.errors import BrewError
from brew.evaluation.page_tables import TablePlace, table


def test_a_table_is_as_markdown_has_it():
    assert table(("name", "n"), [("`a`", 1)]) == "| name | n |\n| --- | --- |\n| `a` | 1 |"


def test_only_what_stands_between_the_lines_is_replaced(tmp_path):
    place = TablePlace(tmp_path / "page.md", "<!-- start -->", "<!-- end -->")
    place.page.write_text("before\n<!-- start -->\nold\n<!-- end -->\nafter\n")
    assert place.renewed("new") == "before\n<!-- start -->\n\nnew\n\n<!-- end -->\nafter\n"


@pytest.mark.parametrize(
    "text", ["", "<!-- start -->", "<!-- end -->\n<!-- start -->", 2 * "<!-- start --><!-- end -->"]
)
def test_a_page_without_one_place_for_tables_is_an_error(tmp_path, text):
    place = TablePlace(tmp_path / "page.md", "<!-- start -->", "<!-- end -->")
    place.page.write_text(text)
    with pytest.raises(BrewError, match="expected each once"):
        place.renewed("new")
