"""The seal of a run: a sum of each thing that the store holds of it, made when it ends.

A finished run never changes. Most of its figures can be computed again from its weights or logits, but not a time, not
a point of a training curve, and not a weight on which no answer depends: whether these are still what they were, only
a sum can tell. Sums are kept one by one, so that `verification` can name what was changed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from fmnist.store.run import Start

NAME = "seal"
"""Of the artifact in which a run's seal is kept, as JSON."""

COLUMNS = (
    *("key", "recipe", "status", "created", "started", "updated", "finished"),
    *(field.name for field in fields(Start) if field.name != "node"),
    *("images_per_second", "error"),
)
"""Of the table `runs`, all but where the data were read from, and what the queue needs."""


def contents(db: sqlite3.Connection, id: int) -> dict[str, Any]:
    """All that is stored of a run, by name; empty if there is no such run.

    Returns:
        The columns and the fields of the result under their names; points of the curves as "train point at step 75",
        with (epoch, seconds, loss, accuracy); artifacts, as bytes, under their names.
    """
    row = db.execute(f"SELECT {', '.join(COLUMNS)}, result FROM runs WHERE id = ?", (id,)).fetchone()
    if row is None:
        return {}
    found = dict(zip(COLUMNS, row, strict=False))
    found |= _fields(row[-1])
    for split, step, *values in db.execute(
        "SELECT split, step, epoch, seconds, loss, accuracy FROM history WHERE run = ? ORDER BY split, step", (id,)
    ):
        found[point_name(split, step)] = tuple(values)
    found |= {
        name: data
        for name, data in db.execute("SELECT name, data FROM artifacts WHERE run = ? ORDER BY name", (id,))
        if name != NAME
    }
    return found


def point_name(split: str, step: int | str) -> str:
    return f"{split} point at step {step}"


def _fields(result: str | None) -> dict[str, Any]:
    try:
        fields = json.loads(result or "{}")
    except (ValueError, TypeError):
        fields = None
    return fields if isinstance(fields, dict) else {"result": result}


def sums(contents: dict[str, Any]) -> dict[str, str]:
    """Of each thing the first 16 hexadecimal digits of its SHA-256 sum: enough against chance, which is all it is for.

    Numbers count with every digit: JSON writes the shortest text that reads as the same number.
    """

    def digest(value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=repr).encode()
        return hashlib.sha256(data).hexdigest()[:16]

    return {name: digest(value) for name, value in contents.items()}


def recounted(epochs: int, steps: int) -> tuple[str, ...]:
    """The names of what changes in a run of an earlier version when it is counted from its weights.

    Args:
        epochs, steps: of the whole run.
    """
    return ("test_accuracy", "dead", "never_predicted", f"predictions/{epochs}", point_name("test", steps))


def lasting(contents: dict[str, Any]) -> dict[str, Any]:
    """A run's contents without what may be counted again, by which it is still known then."""
    counted = ("test_accuracy", "dead", "never_predicted", "predictions/", point_name("test", ""))
    return {name: value for name, value in contents.items() if not name.startswith(counted)}


def identity(contents: dict[str, Any]) -> str:
    """One sum over all of a run, 32 hexadecimal digits: two runs with the same one are the same run."""
    return hashlib.sha256(json.dumps(sums(contents), sort_keys=True).encode()).hexdigest()[:32]


def attach(db: sqlite3.Connection, id: int) -> None:
    """Seal a run as it is now; in the transaction that ends it."""
    data = json.dumps(sums(contents(db, id))).encode()
    db.execute("INSERT OR REPLACE INTO artifacts (run, name, data) VALUES (?, ?, ?)", (id, NAME, data))


def renew(db: sqlite3.Connection, id: int, names: Iterable[str]) -> None:
    """Put the sums of a few things, as they are now, into the seal of a run that has one; in the transaction that
    changes them."""
    kept, now = read(db, id), sums(contents(db, id))
    if kept:
        kept |= {name: now[name] for name in names if name in now}
        db.execute("UPDATE artifacts SET data = ? WHERE run = ? AND name = ?", (json.dumps(kept).encode(), id, NAME))


def read(db: sqlite3.Connection, id: int) -> dict[str, str] | None:
    """The seal that a run was given; None for one that ended before there were seals, {} if it can't be read."""
    row = db.execute("SELECT data FROM artifacts WHERE run = ? AND name = ?", (id, NAME)).fetchone()
    if row is None:
        return None
    try:
        kept = json.loads(row[0])
    except (ValueError, TypeError):
        kept = {}
    return kept if isinstance(kept, dict) else {}
