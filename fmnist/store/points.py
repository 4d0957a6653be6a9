"""The points of curves, as the table `history` holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmnist.store.run import SPLITS

if TYPE_CHECKING:
    import pandas as pd

POINT = " AND ".join(
    [
        f"split IN {SPLITS}",
        *(f"typeof({name}) = 'integer'" for name in ("step", "epoch")),
        *(f"typeof({name}) IN ('real', 'integer')" for name in ("seconds", "loss", "accuracy")),
    ]
)
"""In SQL: whether a row of `history` is a point."""

PLACE_OF_SPLIT = " ".join(["CASE split", *(f"WHEN '{split}' THEN {at}" for at, split in enumerate(SPLITS)), "END"])
"""In SQL: the place in `SPLITS` of the split of a point."""


def read(db: sqlite3.Connection, which: str, values: Sequence[object]) -> tuple[np.ndarray, list[int]]:
    """Points of curves by run, split and step.

    Args:
        which: a condition in SQL, with these values.

    Returns:
        float64 (N, 7): run, split (its place in `SPLITS`), step, epoch, seconds, loss, accuracy; and the runs of which
        a point can't be read.
    """
    cursor = db.cursor()
    cursor.row_factory = None  # Tuples: long runs have hundreds of thousands.
    rows = cursor.execute(
        f"SELECT run, {PLACE_OF_SPLIT}, step, epoch, seconds, loss, accuracy FROM history "
        f"WHERE {which} AND {POINT} ORDER BY run, split, step",
        values,
    ).fetchall()
    damaged = []
    if cursor.execute(f"SELECT count(*) FROM history WHERE {which}", values).fetchone()[0] != len(rows):
        damaged = cursor.execute(f"SELECT DISTINCT run FROM history WHERE {which} AND NOT ({POINT})", values).fetchall()
    return np.array(rows, np.float64).reshape(-1, 7), [id for (id,) in damaged]


def as_table(points: np.ndarray) -> pd.DataFrame:
    """The same, under their names."""
    import pandas as pd  # Takes half a second, which schedulers and workers do without.

    columns = dict(zip(("run", "split", "step", "epoch", "seconds", "loss", "accuracy"), points.T, strict=True))
    columns |= {name: columns[name].astype(np.int64) for name in ("run", "split", "step", "epoch")}
    return pd.DataFrame(columns | {"split": np.array(SPLITS)[columns["split"]]})
