"""What all pages of all scales share, written once: the style, the script, and the libraries behind charts and tables.

Vega, Vega-Lite and Vega-Embed come from vl-convert, DataTables from itables. Pages are opened as files too, from which
a browser loads no modules, so the library of tables becomes a plain script.
"""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from brew.errors import BrewError
from brew.files import write_bytes

#: The folder, from `reports/`.
FOLDER = "assets"
_OWN = ("site.css", "site.js")
_EXPORTS = re.compile(r"\bexport\s*\{([^}]*)\}\s*;?")


def write_assets(reports: Path) -> None:
    """Write the shared files below `reports`; the same environment gives the same bytes."""
    folder = reports / FOLDER
    for name in _OWN:
        write_bytes(folder / name, Path(__file__).with_name(name).read_bytes())
    for name, text in libraries().items():
        write_bytes(folder / name, text.encode())


@cache
def libraries() -> dict[str, str]:
    """Name of a file -> its text; the bundle of charts takes seconds to make."""
    import vl_convert

    tables = files("itables") / "html"
    return {
        "charts.js": vl_convert.javascript_bundle(),  # type: ignore[call-arg]
        "tables.js": plain_script((tables / "dt_bundle.js").read_text(encoding="utf-8"), "brewTables"),
        "tables.css": (tables / "dt_bundle.css").read_text(encoding="utf-8"),
    }


def plain_script(module: str, name: str) -> str:
    """A module of JavaScript as a plain script, whose exports are the fields of the global `name`.

    Raises BrewError unless the module imports nothing and exports once.
    """
    found = list(_EXPORTS.finditer(module))
    if len(found) != 1 or re.search(r"^\s*import\b", module, re.M):
        raise BrewError(
            f"the library of tables exports {len(found)} times; expected one list of exports and no import. Pin "
            "itables to a version that has this form"
        )
    pairs = [pair.split(" as ") for pair in found[0][1].split(",")]
    fields = ",".join(f"{there.strip()!r}:{here.strip()}" for here, there in pairs)
    whole = f"{module[: found[0].start()]}globalThis.{name}={{{fields}}};{module[found[0].end() :]}"
    return f"(function(){{\n{whole}\n}})();\n"
