"""What `make verify` leaves: a page to read, and `verify.json`, a certificate that a reviewer can attach.

Both say which machine got which verdict from which commit, and when: no result depends on them.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from brew.compendium.report.provenance import commit
from brew.compendium.verdicts import Verdict
from brew.files import ROOT, sha256, write_bytes

#: Whose versions change bits.
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "dvc")
_TEMPLATE = Path(__file__).with_name("certificate.html.j2")


def certificate(scale: str, bits: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The content of `verify.json`."""
    return {
        "scale": scale,
        "bits": bits,
        "verified": all(verdict.holds for verdict in verdicts),
        "commit": commit(),
        "environment": f"requirements.lock, SHA-256 {sha256(ROOT / 'requirements.lock')}",
        "machine": machine(),
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "tiers": [asdict(verdict) for verdict in verdicts],
    }


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Processor, system and C library: what bits may depend on. Names of the host and its user are left out."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    told = dict(reversed([_pair(line) for line in lines if ":" in line]))
    known = {name: told[name] for name in ("vendor_id", "model name", "cpu family", "model") if name in told}
    return {
        "processor": ", ".join(f"{name} {value}" for name, value in known.items()) or platform.machine(),
        "kind": platform.machine(),
        "system": platform.system(),
        "C library": " ".join(platform.libc_ver()).strip() or "not known",
    }


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `verify.json` and `verify.html`; returns the page."""
    write_bytes(folder / "verify.json", f"{json.dumps(content, indent=1)}\n".encode())
    page = folder / "verify.html"
    write_bytes(page, render(content).encode())
    return page


def render(content: Mapping[str, Any]) -> str:
    """The page's HTML, which needs no other file."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(content)
