"""Text that every room puts together in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

LOG_FORMAT = {"format": "%(asctime)s %(message)s", "datefmt": "%Y-%m-%d %H:%M:%S%z"}
"""For `logging.basicConfig`: lines that begin with the time and its offset from UTC."""


def exact(number: float) -> str:
    """A number in as few digits as read as the same number: "0.1", "1", "0.0031622776601683795"."""
    text = repr(float(number))
    return text.removesuffix(".0")


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


def escape(text: str) -> str:
    """Text of unknown origin, to stand in Markdown as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-!|~$:" else sign for sign in text)
