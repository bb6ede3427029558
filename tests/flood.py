"""What the tests of odd input share: how many inputs a door is given, what became of them, and the table of all doors.

`make flood` sets BREW_FLOOD, tries so many inputs per test instead of a dozen, and prints the table.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from brew.errors import BrewError

#: How many inputs each test gives: 12, or what BREW_FLOOD says.
tries = int(os.environ.get("BREW_FLOOD", "12"))
few = settings(
    max_examples=tries,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
#: Per door: inputs that were given, and those that were refused. Tests check what is taken against its right value.
given_to: Counter[str] = Counter()
refused: Counter[str] = Counter()


def attempt(door: str, work: Callable[[], Any], *said: object) -> Any:
    """What `work` gives, or None if it ends in a BrewError that says one of `said`."""
    given_to[door] += 1
    try:
        return work()
    except BrewError as error:
        assert not said or any(str(each) in str(error) for each in said), error
        refused[door] += 1
        return None


def table() -> str:
    """A line per door: inputs, those refused with an error of brew's own, and those taken with the right value."""
    rows = [*sorted(given_to.items()), ("all", given_to.total())]
    lines = [f"{'door':<26} {'inputs':>8} {'refused':>8} {'taken':>8}"]
    for door, count in rows:
        no = refused.total() if door == "all" else refused[door]
        lines.append(f"{door:<26} {count:>8} {no:>8} {count - no:>8}")
    return "\n".join(lines)
