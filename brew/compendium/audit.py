"""`brew audit`: known advisories on the packages of requirements.lock, by pip-audit.

Three answers are told apart: an advisory, none, and no answer. A registry without advisories gives no answer, and
pip-audit alone then says "no known vulnerabilities".
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brew.errors import BrewError
from brew.files import ROOT


def judge(report: Mapping[str, Any]) -> list[str]:
    """The advisories of pip-audit's report, a line each; BrewError if packages could not be compared with any."""
    packages = report["dependencies"]
    unanswered = [package for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {entry['id']}, mended in {', '.join(entry['fix_versions']) or 'none'}"
        for package in packages
        for entry in package.get("vulns", ())
    ]
    if unanswered:
        raise BrewError(
            f"{len(unanswered)} of {len(packages)} packages could not be compared with advisories; expected all. "
            f"{unanswered[0]['skip_reason']}. Run it where the network reaches a registry that has advisories"
            + "".join(f"\nfound beside: {line}" for line in found)
        )
    return found


def main(arguments: list[str]) -> int:
    """`brew audit`; exit status 1 if there is an advisory, or no answer."""
    argparse.ArgumentParser(prog="brew audit", description=__doc__).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "pip-audit", "--requirement",
            str(ROOT / "requirements.lock"), "--disable-pip", "--progress-spinner", "off", "--format", "json",
            "--output", str(report),
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True)
        if not report.is_file():
            last = (ended.stderr.strip().splitlines() or ["no word"])[-1]
            raise BrewError(f"pip-audit wrote no report and said: {last}. See whether the network is there")
        found = judge(json.loads(report.read_text()))
    print("\n".join(found) or "no known advisory on any package of requirements.lock")
    return 1 if found else 0
