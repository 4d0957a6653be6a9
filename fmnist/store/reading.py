"""What can be asked of a store: its runs, their curves, answers and weights. Nothing here changes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.arrays import unpack
from fmnist.store.database import Database, StoreError, as_json, listed
from fmnist.store.run import ACTIVE, Result, Run, RunState, Status

if TYPE_CHECKING:
    import pandas as pd


class StoreReader(Database):
    """The runs in one file: what `Database` says of opening holds for it.

    Args:
        source: whose runs they are, "own" or "reference": `Run.source` of each.
    """

    def __init__(self, path: Path, *, read_only: bool = False, source: str = "own") -> None:
        super().__init__(path, read_only=read_only)
        self.source = source

    # --- Runs ---

    def runs(self, *statuses: Status) -> list[Run]:
        """All runs, or those with one of these statuses, the oldest first."""
        where = f"WHERE status IN ({', '.join('?' * len(statuses))})" if statuses else ""
        with self._read() as db:
            rows = db.execute(f"SELECT * FROM runs {where} ORDER BY id", statuses).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def newest(self, count: int) -> list[Run]:
        """The newest runs, the newest first."""
        with self._read() as db:
            rows = db.execute("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def count(self) -> int:
        """How many runs there are."""
        with self._read() as db:
            return db.execute("SELECT count(*) FROM runs").fetchone()[0]

    def finished(self) -> list[Run]:
        """The finished runs, the oldest first; of those with the same recipe on the same kind of device the newest."""
        with self._read() as db:
            # SQLite takes a bare column, here id, from the row that has the maximum.
            rows = db.execute(
                "SELECT * FROM runs WHERE id IN "
                f"(SELECT id FROM (SELECT id, max(finished) FROM runs WHERE status = '{Status.DONE}' "
                "GROUP BY json_remove(recipe, '$.device'), device)) ORDER BY id"
            ).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def finished_ids(self) -> str:
        """Which runs are finished. They never change: as long as this is the same, so is all that follows from them."""
        with self._read() as db:  # From an index alone: 2 ms for 10,000 runs.
            return db.execute(f"SELECT group_concat(id) FROM runs WHERE status = '{Status.DONE}'").fetchone()[0] or ""

    def run(self, id: int) -> Run | None:
        with self._read() as db:
            row = db.execute("SELECT * FROM runs WHERE id = ?", (id,)).fetchone()
        return self._run(row) if row else None

    def by_ids(self, ids: Iterable[int], status: Status | None = None) -> list[Run]:
        """Those of these runs that are there, or only those with a status; in training order."""
        with self._read() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE id IN (SELECT value FROM json_each(?1)) AND status = coalesce(?2, status) "
                "ORDER BY priority, id",
                (as_json(ids), status),
            ).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def count_active(self, ids: Iterable[int]) -> int:
        """How many of these runs are queued or running."""
        with self._read() as db:
            return db.execute(
                "SELECT count(*) FROM runs WHERE id IN (SELECT value FROM json_each(?)) "
                f"AND status IN {listed(ACTIVE)}",
                (as_json(ids),),
            ).fetchone()[0]

    def newest_batch(self) -> list[RunState]:
        """The runs that were asked for together with the newest one, and all that are active; in training order."""
        with self._read() as db:
            # The newest run that is older than the batch is found from the end: every viewer asks this twice a second.
            rows = db.execute(
                f"SELECT id, status, step, finished FROM runs WHERE (status IN {listed(ACTIVE)} OR id > coalesce(("
                "SELECT id FROM runs WHERE created < (SELECT created FROM runs ORDER BY id DESC LIMIT 1) "
                "ORDER BY id DESC LIMIT 1), 0)) AND json_extract(recipe, '$.model') IN (SELECT value FROM json_each(?))"
                " ORDER BY priority, id",
                (json.dumps(list(ARCHITECTURES)),),
            ).fetchall()
        return [RunState(id, Status(status), step, finished) for id, status, step, finished in rows]

    def done_keys(self) -> set[str]:
        """The keys of all finished runs: what does not have to be trained again."""
        with self._read() as db:
            return {row[0] for row in db.execute(f"SELECT key FROM runs WHERE status = '{Status.DONE}'")}

    def sealed_ids(self) -> list[int]:
        """The ids of all runs that are done, or were when they were sealed."""
        with self._read() as db:
            rows = db.execute(
                f"SELECT id FROM runs WHERE status = '{Status.DONE}' "
                "OR id IN (SELECT run FROM artifacts WHERE name = ?) ORDER BY id",
                (checksums.NAME,),
            ).fetchall()
        return [row[0] for row in rows]

    def holds(self, key: str, identity: str) -> bool:
        """Whether this very run (`checksums.identity`) is here; one trained again by the same recipe is another one."""
        with self._read() as db:
            rows = db.execute(f"SELECT id FROM runs WHERE key = ? AND status = '{Status.DONE}'", (key,)).fetchall()
            return any(checksums.identity(checksums.contents(db, row[0])) == identity for row in rows)

    def _run(self, row: sqlite3.Row) -> Run | None:
        values = dict(row)
        del values["priority"]
        try:
            values["recipe"] = Recipe.from_json(values["recipe"])
            values["result"] = Result.from_json(values["result"]) if values["result"] else None
        except (ValueError, TypeError):
            return None  # Of a model that this program does not have, or damaged: left alone, not shown.
        values["versions"] = json.loads(values["versions"] or "{}")
        values["status"] = Status(values["status"])
        values["stop"] = bool(values["stop"])
        return Run(**values, source=self.source)

    # --- What a run left behind ---

    def history(self, ids: Sequence[int], split: str | None = None) -> pd.DataFrame:
        """The curves of some runs, by run, split and step: columns run, split, step, epoch, seconds, loss, accuracy.

        Args:
            split: only "train" or only "test".
        """
        import pandas as pd  # Takes half a second, which trainers and workers do without.

        columns = ["run", "split", "step", "epoch", "seconds", "loss", "accuracy"]
        with self._read() as db:
            rows = db.execute(
                f"SELECT {', '.join(columns)} FROM history WHERE run IN (SELECT value FROM json_each(?1)) "
                "AND split IN (coalesce(?2, 'train'), coalesce(?2, 'test')) ORDER BY run, split, step",
                (as_json(ids), split),
            ).fetchall()
        return pd.DataFrame([tuple(row) for row in rows], columns=columns)

    def artifact(self, id: int, name: str) -> bytes | None:
        with self._read() as db:
            row = db.execute("SELECT data FROM artifacts WHERE run = ? AND name = ?", (id, name)).fetchone()
        return row[0] if row else None

    def logits(self, id: int) -> np.ndarray:
        """Test logits of a finished run, float16 (N, 10)."""
        return unpack(self._needed(id, "logits"))

    def predictions(self, id: int, epoch: int) -> np.ndarray:
        """Predicted test labels after an epoch, uint8 (N,)."""
        return unpack(self._needed(id, f"predictions/{epoch}"))

    def weights(self, id: int) -> bytes:
        """Weights of a finished run, a safetensors file."""
        return self._needed(id, "weights")

    def _needed(self, id: int, name: str) -> bytes:
        data = self.artifact(id, name)
        if data is None:
            raise StoreError(
                f"Run {id} has no {name.split('/')[0]} in {self.path}: it is not finished, or was deleted."
            )
        return data

    def contents(self, id: int) -> tuple[dict[str, Any], dict[str, str] | None]:
        """All that is stored of a run, and the seal that it was given: `checksums.contents` and `checksums.read`."""
        with self._read() as db:
            return checksums.contents(db, id), checksums.read(db, id)

    # --- Has anything changed? ---

    def change_counter(self) -> tuple[int, ...]:
        """Changes whenever any process has changed the file: what a page compares to know whether to look again."""
        with self._read() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes, self._openings
