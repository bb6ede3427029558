"""The stamp of a rehearsal: its tables, figures and pages say that they hold no results."""

from functools import cache

STAMP = "rehearsal: no results"
_BANNER = f'<p class="stamp" style="margin:0;padding:.4rem;text-align:center;background:#b3261e;color:#fff">{STAMP}</p>'


class _Stamping:
    """Whether this process stamps its captions."""

    on = False


@cache
def use() -> None:
    """Stamp every caption that this process writes or shows from now on."""
    _Stamping.on = True


def caption(text: str) -> str:
    """The caption as it is written, with the stamp before it in a rehearsal."""
    return f"{STAMP}. {text}" if _Stamping.on and not text.startswith(STAMP) else text


def page(html: str) -> str:
    """A page of HTML with the stamp above all else, and in its title."""
    head, found, rest = html.partition("<body>")
    return head.replace("<title>", f"<title>{STAMP} - ", 1) + found + f"\n{_BANNER}" * bool(found) + rest
