"""Output as a table that fits the terminal, as CSV or as JSON."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmnist.background import printable
from fmnist.export.formulas import harmless

GAP = "  "
MIN_SHORTENED = 8
"""Characters that are left of a text where there is no room."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    text: Callable[[Any], str]  # of a row
    right: bool = False  # whether it is aligned on the right, as numbers are
    shortens: bool = False  # whether its longest texts may be cut where there is no room
    optional: bool = False  # whether it may be left out where there is no room

    def shown(self, row: Any) -> str:
        """The text of a row as a terminal can show it in a line."""
        return printable(self.text(row))


def room() -> int | None:
    """The characters in a line of the terminal; None where the output goes to a file or a program."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def fitting(rows: Sequence[Any], columns: Sequence[Column], room: int) -> list[Column]:
    """The columns for which there is room: of the optional ones the last are left out first."""
    kept = list(columns)
    for column in reversed(columns):
        if sum(_widths(rows, kept)) + len(GAP) * (len(kept) - 1) <= room:
            break
        if column.optional:
            kept.remove(column)
    return kept


def table(rows: Sequence[Any], columns: Sequence[Column], room: int | None, *, header: bool = True) -> str:
    """Rows as lines of text. Columns are as wide as they need to be; the widest that may be shortened are, until the
    lines fit.

    Args:
        room: the characters that a line may have; None for any number.
    """
    widths = _widths(rows, columns, header)
    shortened = [place for place, column in enumerate(columns) if column.shortens]
    while room is not None and shortened and sum(widths) + len(GAP) * (len(widths) - 1) > room:
        widest = max(shortened, key=widths.__getitem__)
        if widths[widest] <= MIN_SHORTENED:
            break
        widths[widest] -= 1
    lines = [[column.title for column in columns]] if header else []
    lines += [[column.shown(row) for column in columns] for row in rows]
    return "\n".join(
        GAP.join(
            _cut(text, width).rjust(width) if column.right else _cut(text, width).ljust(width)
            for text, column, width in zip(line, columns, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def print_rows(rows: Sequence[Mapping[str, Any]], fields: Sequence[str], format: str) -> None:
    """Print rows for a program: "json" or "csv"."""
    if format == "json":
        print_json(rows)
        return
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)


def print_json(value: Any, default: Callable[[Any], Any] | None = None) -> None:
    """Print a value for a program.

    Args:
        default: what stands for a value that JSON can't hold; without it there must be none.
    """
    print(json.dumps(_finite(value), indent=2, allow_nan=False, default=default))


def _finite(value: Any) -> Any:
    """With null for each number that is not finite: JSON has no word for it."""
    match value:
        case dict():
            return {name: _finite(below) for name, below in value.items()}
        case list() | tuple():
            return [_finite(below) for below in value]
        case float() if not math.isfinite(value):
            return None
    return value


def _widths(rows: Sequence[Any], columns: Sequence[Column], header: bool = True) -> list[int]:
    return [
        max([len(column.title) if header else 0, *(len(column.shown(row)) for row in rows)], default=0)
        for column in columns
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
