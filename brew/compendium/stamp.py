"""The stamp of a rehearsal: its tables, figures and pages say that they hold no results."""

import re

STAMP = "rehearsal: no results"
_STYLE = "margin:0;max-width:none;padding:.4rem;text-align:center;background:#b3261e;color:#fff"
_BANNER = f'<p class="stamp" style="{_STYLE}">{STAMP}</p>'

#: Whether this process stamps the captions that it writes and shows.
stamping = False


def use() -> None:
    """Stamp every caption of this process from now on."""
    global stamping
    stamping = True


def caption(text: str) -> str:
    """The caption as it is written: in a rehearsal with the stamp before it."""
    return f"{STAMP}. {text}" if stamping else text


def page(html: str) -> str:
    """A page of HTML with the stamp above all else, and in its title."""
    titled = html.replace("<title>", f"<title>{STAMP} - ", 1)
    return re.sub(r"<body[^>]*>", lambda found: f"{found[0]}\n{_BANNER}", titled, count=1)
