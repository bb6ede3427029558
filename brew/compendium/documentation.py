"""`brew docs`: the pages of docs/ that hold tables of brew's own entries, with those tables as they are now."""

import argparse
from collections.abc import Callable, Mapping

from brew.compendium.report import model_cards
from brew.evaluation import benchmark_tables
from brew.evaluation.page_tables import TablePlace
from brew.evaluation.zoo import backbone_tables
from brew.files import ROOT, write_bytes

#: Where a page holds its tables -> the tables.
PAGES: Mapping[TablePlace, Callable[[], str]] = {
    benchmark_tables.PLACE: benchmark_tables.tables,
    backbone_tables.PLACE: backbone_tables.tables,
    model_cards.PLACE: model_cards.cards,
}


def main(arguments: list[str]) -> int:
    """`brew docs`."""
    argparse.ArgumentParser(prog="brew docs", description="Write the generated tables of docs/.").parse_args(arguments)
    for place, tables in PAGES.items():
        write_bytes(place.page, place.renewed(tables()).encode())
        print(f"{place.page.relative_to(ROOT)} written")
    return 0
