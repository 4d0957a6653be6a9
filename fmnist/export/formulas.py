"""Texts that a spreadsheet would take for formulas."""

from __future__ import annotations

from typing import Any

BEGINNINGS = ("=", "+", "-", "@", "\t", "\n")


def harmless(value: Any) -> Any:
    """A cell of a CSV file: a text that would be a formula gets an apostrophe in front, as in '=1+1.png.

    A carriage return becomes a newline: writers put only the latter into quotes, and behind the former a new row would
    begin. All else is left as it is, numbers that are written as text included.
    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if not value.startswith(BEGINNINGS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
