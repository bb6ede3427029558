"""A scale's site as one file that opens anywhere: pages below each other, with pictures, style and scripts inside.

Pages are those that `page_shell` wrote, so that their form is known. Executed notebooks and tables as files stay apart:
what links to them becomes plain text.
"""

import base64
import html
import mimetypes
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.compendium.report.site.addresses import slug
from brew.compendium.report.site.shared_assets import FOLDER
from brew.errors import BrewError

_MAIN = re.compile(r"<main[^>]*>(.*)</main>", re.S)
_ID = re.compile(r'(?<=[ "])id="([^"]+)"')
_LINK = re.compile(r'<a ([^>]*?)href="([^"]*)"([^>]*)>(.*?)</a>', re.S)
_PICTURE = re.compile(r'src="([^":]+)"')
_CHOICE = re.compile(r'<details class="choose">.*?</details>', re.S)
_STYLES, _SCRIPTS = ("tables.css", "site.css"), ("charts.js", "tables.js", "site.js")
#: The pages of a scale, first to last.
_ORDER = ("index.html", "chapters/*.html", "benchmarks/*.html")


@dataclass(frozen=True)
class _Page:
    """path: relative to the scale's folder. content: of its main part. ids: identifier -> the one in the whole file."""

    path: str
    title: str
    content: str
    ids: Mapping[str, str]

    @property
    def id(self) -> str:
        return f"page-{slug(self.path.removesuffix('.html'))}"


def one_file(site: Path) -> str:
    """The whole site of a scale as HTML. site: the scale's folder of reports.

    Raises BrewError if the scale has no site there.
    """
    if not (site / "index.html").exists():
        raise BrewError(f"{site} holds no index.html; expected a report. Run `make repro SCALE={site.name}` first")
    paths = [path for pattern in _ORDER for path in sorted(site.glob(pattern))]
    pages = _pages(site, paths)
    whole = {page.path: page for page in pages}
    articles, chosen = [], False
    for page in pages:
        content = page.content if not chosen else _CHOICE.sub("", page.content)
        chosen = chosen or "choose" in content
        articles.append(f'<article id="{page.id}">\n{_rewritten(content, page, whole, site)}\n</article>')
    contents = "".join(f'<li><a href="#{page.id}">{page.title}</a></li>' for page in pages)
    assets = site.parent / FOLDER
    styles = "\n".join((assets / name).read_text(encoding="utf-8") for name in _STYLES)
    scripts = "\n".join(f"<script>{_inside(assets / name)}</script>" for name in _SCRIPTS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>brew, scale {site.name}</title><link rel="icon" '
        f'href="data:,"><style>{styles}</style></head>\n<body><div class="columns"><nav class="contents" '
        f'aria-label="Contents"><ul>{contents}</ul></nav>\n<main id="content">{"".join(articles)}</main></div>\n'
        f"{scripts}</body></html>\n"
    )


def _inside(script: Path) -> str:
    """A script that no `</script>` in it ends."""
    return script.read_text(encoding="utf-8").replace("</script", "<\\/script")


def _pages(site: Path, paths: Sequence[Path]) -> list[_Page]:
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    mains = {path: found[1] for path, text in texts.items() if (found := _MAIN.search(text))}
    times = Counter(name for text in mains.values() for name in _ID.findall(text))
    return [
        _Page(
            path.relative_to(site).as_posix(),
            texts[path].split("<title>")[1].split(" - brew")[0],
            main,
            {name: name if times[name] == 1 else f"{path.stem}-{name}" for name in _ID.findall(main)},
        )
        for path, main in mains.items()
    ]


def _rewritten(text: str, page: _Page, whole: Mapping[str, _Page], site: Path) -> str:
    folder = (site / page.path).parent

    def link(found: re.Match[str]) -> str:
        before, address, after, words = found.groups()
        if address.startswith(("https:", "data:")):
            return found[0]
        path, _, fragment = html.unescape(address).partition("#")
        target = page if not path else whole.get(Path(os.path.relpath(folder / path, site)).as_posix())
        if target is None:
            return f"<span {before}{after.replace('target=', 'data-target=')}>{words}</span>"
        place = target.ids.get(fragment, fragment if "--" in fragment else target.id)
        return f'<a {before}href="#{place}"{after}>{words}</a>'

    def picture(found: re.Match[str]) -> str:
        file = folder / html.unescape(found[1])
        kind = mimetypes.guess_type(file.name)[0] or "image/webp"
        return f'src="data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"'

    linked = _LINK.sub(link, _ID.sub(lambda found: f'id="{page.ids[found[1]]}"', text))
    return _PICTURE.sub(picture, linked)
