"""How tables write a number: a score with its doubts, a difference with its interval, in bold what stands out.

Also how sentences write a count, in agreement with its noun.
"""

import math
from collections.abc import Iterable

#: What a corrected p has to lie below.
_SIGNIFICANT = 0.05


def number(value: float, spread: float, low: float, high: float) -> str:
    """A score with its deviation over seeds (NaN: a single one) and its interval over test samples."""
    deviation = "" if math.isnan(spread) else f" +/- {spread:.1f}"
    return f"{value:.1f}{deviation} [{low:.1f}, {high:.1f}]"


def signed(value: float, low: float, high: float, digits: int = 1) -> str:
    """A difference and its interval."""
    return f"{value:+z.{digits}f} {brackets(low, high, digits)}"


def brackets(low: float, high: float, digits: int = 1) -> str:
    """The interval of a difference."""
    return f"[{low:+z.{digits}f}, {high:+z.{digits}f}]"


def told_apart(value: float, low: float, high: float, digits: int = 1) -> str:
    """A difference and its interval, in bold if that leaves out 0."""
    return bold(signed(value, low, high, digits), leaves_out_zero(low, high, digits))


def corrected(p: float) -> str:
    """Holm's corrected p after an interval, which is not corrected; empty if there is none."""
    if math.isnan(p):
        return ""
    return ", Holm p < .001" if p < 0.001 else f", Holm p {p:.3f}".replace("0.", ".", 1)


def established(low: float, high: float, p: float, digits: int = 1) -> bool:
    """Whether an interval leaves out 0 as printed, and the corrected p lies below .05 too."""
    return bool(leaves_out_zero(low, high, digits) and p < _SIGNIFICANT)


def leaves_out_zero(low: float, high: float, digits: int = 1) -> bool:
    """Whether an interval does so as tables print it; never if an end is missing."""
    return round(low, digits) > 0 or round(high, digits) < 0


def bold(text: str, when: bool = True) -> str:
    """Between two asterisks on each side, which the report prints in bold."""
    return f"**{text}**" if when else text


def agreeing(count: int, one: str, many: str) -> str:
    """The word that agrees with a count in number."""
    return one if count == 1 else many


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 seed, 3 seeds."""
    return f"{count} {agreeing(count, noun, f'{noun}s')}"


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
