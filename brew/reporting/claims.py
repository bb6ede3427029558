"""What has been claimed of the method, and what a run of brew can say to each claim.

Claims are facts with a source and a status (`data/claims.yaml`); conflicting ones stay side by side. A verdict is
"reproduced" or "not reproduced" only where the same model kind was trained on the same data and scored on the same
benchmark; else it is "not comparable" with the reason, or "not run" with what it needs.
"""

from pathlib import Path

import pandas as pd
import yaml

from brew.paths import DATA

CLAIMS = DATA / "claims.yaml"


def ledger(ours: pd.DataFrame, scale: str, path: Path = CLAIMS) -> pd.DataFrame:
    """One row per claim. ours: primary scores with columns benchmark, backbone, score (percent), interval."""
    rows = []
    for claim in yaml.safe_load(path.read_text()):
        found = ours[(ours["benchmark"] == claim.get("benchmark")) & (ours["backbone"] == claim.get("backbone"))]
        if len(found):
            value, interval = found.iloc[0]["score"], found.iloc[0]["interval"]
            verdict = f"not comparable: {claim['because']}"
        else:
            value, interval = "", ""
            verdict = f"not run at scale {scale}: needs {claim['needs']}"
        rows.append({
            "table": claim["table"], "claim": claim["claim"], "claimed": claim["value"], "status": claim["status"],
            "source": claim["source"], "ours": value, "interval": interval, "verdict": verdict,
        })  # fmt: skip
    return pd.DataFrame(rows)
