"""`make bench`: every script of this folder in turn, each in a process of its own with a budget of time, then the page.

A script that fails or overruns its budget is named at the end and does not stop the others; the exit status is then 1.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import report
from brew.files import ROOT

#: Modules that measure no speed themselves: they serve, read what others measured, or need an emulator.
_NO_SCRIPTS = ("__init__", "all", "emulated_bits", "harness", "matched", "report", "scaling")


def scripts() -> list[str]:
    """The modules that measure something, by name: every other file of this folder that can be run."""
    files = sorted((ROOT / "benchmarks").glob("*.py"))
    return [path.stem for path in files if path.stem not in _NO_SCRIPTS and "__main__" in path.read_text()]


def run(script: str, budget: float, options: Sequence[str]) -> str | None:
    """Run one script and whatever it starts; None, or in a few words why it did not succeed."""
    command = [sys.executable, "-m", f"benchmarks.{script}", *options]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            status = process.wait(budget)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"took longer than {budget:g} s"
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return f"exit status {status}" if status else None


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="SCRIPT", help="the scripts to run; all where none is named")
    parser.add_argument("--rounds", type=int, help="rounds of every script; each script's own default where not given")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the scripts; leaves results alone")
    parser.add_argument("--budget", type=float, default=3600, help="seconds that one script may take")
    chosen = parser.parse_args(given)
    unknown = sorted(set(chosen.only) - set(scripts()))
    if unknown:
        parser.error(f"no script {', '.join(unknown)}; known: {', '.join(scripts())}")
    options = [*(["--rounds", str(chosen.rounds)] if chosen.rounds else []), *(["--quick"] if chosen.quick else [])]
    failures = {}
    for script in chosen.only or scripts():
        print(f"== {script}", flush=True)
        reason = run(script, chosen.budget, options)
        if reason:
            failures[script] = reason
    if not chosen.quick:
        report.main()
    for script, reason in failures.items():
        print(f"failed: {script}: {reason}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
