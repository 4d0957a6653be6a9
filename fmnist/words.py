"""Text that every room puts together in the same way."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime

LOG_LINE, LOG_TIME = "%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S%z"
"""For `logging.basicConfig`, format and datefmt: lines that begin with the time and its offset from UTC."""

TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What tells a terminal to do something: colour the text, move, ring. ECMA-48, 5.4 and 8.3.89."""


def exact(number: float) -> str:
    """A number in as few digits as read as the same number: "0.1", "1", "0.0031622776601683795"."""
    text = repr(float(number))
    return text.removesuffix(".0")


def digits(number: float, count: int = 3) -> str:
    """A number with so many digits that count, or all of those before the point: "0.0123", "1.46", "32.1", "1,234"."""
    if not number or not math.isfinite(number):
        return f"{number:.0f}"
    return f"{number:,.{max(0, count - 1 - math.floor(math.log10(abs(number))))}f}"


def as_number(text: str) -> float:
    """What `digits` has printed. Ratios are computed from what is printed beside them, so that
    whoever divides the printed figures gets the same."""
    return float(text.replace(",", ""))


def moment(seconds: float, precision: str = "minutes") -> str:
    """A time of day on this machine, with its offset from UTC: "2026-11-25 10:12+01:00".

    Args:
        seconds: since 1970, as `time.time` gives them.
        precision: "minutes" or "seconds".
    """
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", precision)


def listed(names: Iterable[str], last: str = "and") -> str:
    """ "a, b and c"."""
    names = list(names)
    return ", ".join(names[:-1]) + f" {last} " + names[-1] if len(names) > 1 else "".join(names)


def shortened(text: object, most: int = 40) -> str:
    """What somebody has typed, to be said again: the beginning of something very long."""
    return text if len(text := str(text)) <= most else f"{text[:most]}…"


def escape(text: str) -> str:
    """Text of unknown origin, to stand in Markdown as it is; what can't be sent, as in \\udcff, as that."""
    text = plain(text).encode(errors="backslashreplace").decode()
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-!|~$:" else sign for sign in text)


def plain(text: str) -> str:
    """Text without what is meant for a terminal."""
    return TERMINAL.sub("", text)


def reason(error: BaseException, most: int = 200) -> str:
    """What somebody else's code raised, for the middle of a sentence: the first line, without a full stop.

    Args:
        most: characters.
    """
    text = getattr(error, "strerror", None) or plain(str(error))
    lines = text.strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")[:most]
