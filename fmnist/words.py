"""Text that every room puts together in the same way."""

from __future__ import annotations

from collections.abc import Iterable


def exact(number: float) -> str:
    """A number in as few digits as read as the same number: "0.1", "1", "0.0031622776601683795"."""
    text = repr(float(number))
    return text.removesuffix(".0")


def listed(names: Iterable[str], last: str = "and") -> str:
    """ "a, b and c"."""
    names = list(names)
    return ", ".join(names[:-1]) + f" {last} " + names[-1] if len(names) > 1 else "".join(names)


def escape(text: str) -> str:
    """Text of unknown origin, to stand in Markdown as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-!|~$:" else sign for sign in text)
