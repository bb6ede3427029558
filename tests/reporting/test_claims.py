"""The ledger keeps every claim, and calls none reproduced that was not made on the same ground."""

import pandas as pd
import yaml

from brew.reporting.claims import CLAIMS, ledger

_NONE = pd.DataFrame(columns=["benchmark", "backbone", "score", "interval"])


def test_without_scores_every_claim_is_not_run_and_says_what_it_needs():
    table = ledger(_NONE, "miniature")
    assert len(table) == len(yaml.safe_load(CLAIMS.read_text()))
    assert table["verdict"].str.startswith("not run at scale miniature: needs ").all()


def test_our_oscd_stands_beside_both_conflicting_claims_and_is_not_comparable():
    ours = pd.DataFrame([{"benchmark": "oscd", "backbone": "deo", "score": "40.0", "interval": "30.0 to 50.0"}])
    table = ledger(ours, "real")
    met = table[table["ours"] == "40.0"]
    assert sorted(met["claimed"]) == [59.2, 60.5]
    assert met["verdict"].str.startswith("not comparable: ").all()
    assert not table["verdict"].str.startswith("reproduced").any()
