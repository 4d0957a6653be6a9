"""What can be asked of a store: its runs, their curves, answers and weights. Nothing here changes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist import metrics
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.arrays import unpack
from fmnist.store.artifacts import HELD_OUT_LABELS, HELD_OUT_LOGITS, in_words, measured, predictions_name
from fmnist.store.database import THESE, DamagedRun, DamagedStore, Database, StoreError, as_json, listed
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.points import as_table, read
from fmnist.store.rows import (
    ASKED_FOR,
    MODEL,
    STANDING,
    DamagedRow,
    UnknownRecipe,
    read_recipe,
    read_row,
    without,
)
from fmnist.store.run import ACTIVE, SPLITS, Run, RunState, Status
from fmnist.store.schema import LABELS_SINCE, ROUNDED_SINCE

if TYPE_CHECKING:
    import pandas as pd

HERE = "SELECT id FROM runs WHERE id"
"""In SQL, with a condition behind it: runs that are not deleted. Curves and weights of others may still lie there until
that can't be undone any more (`deletion.py`)."""


class StoreReader(Database):
    """The runs in one file: what `Database` says of opening holds for it.

    Args:
        source: whose runs they are, "own" or "reference": `Run.source` of each.
    """

    def __init__(self, path: Path, *, read_only: bool = False, source: str = "own") -> None:
        super().__init__(path, read_only=read_only)
        self.source = source
        self._damaged: dict[int, str] = {}  # Runs in which something was found that can't be read, and what.
        self._unreadable: set[int] = set()  # Those of them of which that is not in the row.

    # --- Runs ---

    def runs(self, *statuses: Status) -> list[Run]:
        """All runs, or those with one of these statuses, the oldest first."""
        where = f"WHERE status IN ({', '.join('?' * len(statuses))})" if statuses else ""
        try:
            with self._read() as db:
                rows = db.execute(f"SELECT * FROM runs {where} ORDER BY id", statuses).fetchall()
        except DamagedStore:
            rows = [row for row in self._readable() if not statuses or row["status"] in statuses]
        return [run for row in rows if (run := self._run(row))]

    def statuses(self) -> dict[int, Status]:
        """The status of each run, by its id."""
        with self._read() as db:  # From an index alone: 10,000 rows would take long, and may be damaged.
            rows = db.execute(
                f"SELECT id, status FROM runs INDEXED BY runs_by_status WHERE status IN {listed(Status)}"
            ).fetchall()
        return {id: Status(status) for id, status in rows}

    def recipes(self, ids: Iterable[int]) -> dict[int, Recipe]:
        """The recipes of these runs by their ids, where this program knows them; the rest of their rows, which takes
        longer, is not read."""
        try:
            with self._read() as db:
                rows = db.execute(f"SELECT id, recipe FROM runs WHERE id {THESE}", (as_json(ids),)).fetchall()
        except DamagedStore:
            return {run.id: run.recipe for run in self.runs()}
        found = {}
        for id, text in rows:
            with suppress(UnknownRecipe, DamagedRow):
                found[id] = read_recipe(text)
        return found

    def count(self) -> int:
        """How many runs there are."""
        with self._read() as db:
            return db.execute("SELECT count(*) FROM runs").fetchone()[0]

    def finished(self) -> list[Run]:
        """The finished runs, the oldest first; of those with the same recipe on the same kind of device the newest."""
        try:
            with self._read() as db:
                # SQLite takes a bare column, here id, from the row that has the maximum.
                rows = db.execute(
                    "SELECT * FROM runs WHERE id IN "
                    f"(SELECT id FROM (SELECT id, max(finished) FROM runs WHERE status = '{Status.DONE}' "
                    f"AND id NOT {THESE} "
                    f"GROUP BY {without('device')}, device)) ORDER BY id",
                    (as_json(self._unreadable),),
                ).fetchall()
            runs = [run for row in rows if (run := self._run(row))]
            if len(runs) == len(rows):
                return runs
        except DamagedStore:
            pass
        # A damaged one may have stood in front of a good one.
        newest: dict[tuple[Recipe, str | None], Run] = {}
        for run in self.runs(Status.DONE):
            kind = replace(run.recipe, device="auto"), run.device
            before = newest.get(kind)
            if run.id not in self._unreadable and (not before or (run.finished or 0) >= (before.finished or 0)):
                newest[kind] = run
        return sorted(newest.values(), key=lambda run: run.id)

    def finished_ids(self) -> str:
        """Which runs are finished. They never change but for those of earlier versions, once: as long as this is the
        same, so is all that follows from them."""
        with self._read() as db:  # From an index alone: 2 ms for 10,000 runs.
            ids = db.execute(f"SELECT group_concat(id) FROM runs WHERE status = '{Status.DONE}'").fetchone()[0] or ""
        ids += f" rounded {rounded}" if (rounded := self.rounded_ids()) else ""
        return f"{ids} without {sorted(self._unreadable)}" if self._unreadable else ids

    def rounded_ids(self) -> list[int]:
        """The finished runs that are `Run.rounded`."""
        with self._read() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            which = "rounded" if version >= ROUNDED_SINCE else f"status = '{Status.DONE}'"
            return [row[0] for row in db.execute(f"SELECT id FROM runs WHERE {which} ORDER BY id")]

    def run(self, id: int) -> Run | None:
        with self._read() as db:
            row = db.execute("SELECT * FROM runs WHERE id = ?", (id,)).fetchone()
        return self._run(row) if row else None

    def by_ids(self, ids: Iterable[int], status: Status | None = None) -> list[Run]:
        """Those of these runs that are there, or only those with a status; in training order."""
        with self._read() as db:
            rows = db.execute(
                f"SELECT * FROM runs WHERE id {THESE} AND status = coalesce(?, status) ORDER BY priority, id",
                (as_json(ids), status),
            ).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def labels(self, ids: Iterable[int] | None = None) -> dict[int, Label]:
        """The names and notes of these runs, or of all, by id: of those that have any."""
        which = "" if ids is None else f"WHERE run {THESE}"
        with self._read() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] < LABELS_SINCE:
                return {}
            rows = db.execute(
                f"SELECT run, name, note FROM labels JOIN runs ON runs.id = run {which}",
                () if ids is None else (as_json(ids),),
            ).fetchall()
        return {id: Label.from_store(name, note) for id, name, note in rows}

    def label(self, id: int) -> Label:
        """The name and note of a run."""
        return self.labels([id]).get(id, NO_LABEL)

    def count_active(self, ids: Iterable[int]) -> int:
        """How many of these runs are queued or running."""
        with self._read() as db:
            return db.execute(
                f"SELECT count(*) FROM runs WHERE id {THESE} AND status IN {listed(ACTIVE)}",
                (as_json(ids),),
            ).fetchone()[0]

    def newest_request(self, also: Iterable[int] = ()) -> list[RunState]:
        """The runs that were asked for together with the newest one, all that are active, and some more; in training
        order. Those of a model that this program does not have are not there, nor those that were imported: nobody
        asked for them here."""
        known = f"{MODEL} IN (SELECT value FROM json_each(:models)) AND {ASKED_FOR}"
        with self._read() as db:
            # The newest run that is older than the batch is found from the end: every viewer asks this twice a second.
            rows = db.execute(
                f"SELECT id, status, step, finished FROM runs WHERE (status IN {listed(ACTIVE)} OR id > coalesce(("
                f"SELECT id FROM runs WHERE {ASKED_FOR} AND created < (SELECT created FROM runs WHERE {known} "
                "ORDER BY id DESC LIMIT 1) ORDER BY id DESC LIMIT 1), 0) OR id IN (SELECT value FROM json_each(:also)))"
                f" AND {STANDING} AND {known} ORDER BY priority, id",
                {"also": as_json(also), "models": json.dumps(list(ARCHITECTURES))},
            ).fetchall()
        return [RunState(id, Status(status), step, finished) for id, status, step, finished in rows]

    def done_keys(self, keyed: Iterable[tuple[Recipe, str]]) -> set[str]:
        """Which of these recipes, by their keys, are done and do not have to be trained again.

        The recipe decides: a run that came from elsewhere may stand under the key of another one.
        """
        with self._read() as db:
            rows = db.execute(f"SELECT id, key, recipe FROM runs WHERE status = '{Status.DONE}'").fetchall()
        done = {(key, recipe) for id, key, recipe in rows if id not in self._damaged}
        return {key for recipe, key in keyed if (key, recipe.to_json()) in done}

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
        """Whether this very run (`Record.identity`) is here; one trained again by the same recipe is another one."""
        with self._read() as db:
            rows = db.execute(f"SELECT id FROM runs WHERE key = ? AND status = '{Status.DONE}'", (key,)).fetchall()
            return any(
                checksums.identity(checksums.lasting(checksums.contents(db, row[0]))) == identity for row in rows
            )

    def _run(self, row: sqlite3.Row) -> Run | None:
        """The run in a row; None for one of a model that this program does not have, and for a damaged one, which is
        put down."""
        values = dict(row)
        try:
            run = read_row(values, self.source)
        except DamagedRow as damage:
            self._damaged[values["id"]] = str(damage)
            return None
        except UnknownRecipe:
            return None
        if run.id not in self._unreadable:
            self._damaged.pop(run.id, None)
        return run

    # --- What is damaged ---

    def _readable(self) -> list[sqlite3.Row]:
        """The rows that can be read of a file of which a part can't be, the oldest first.

        Raises:
            DamagedStore: not even which runs there are.
        """
        with self._read() as db:  # From an index, which has the ids: the rows themselves are not needed.
            ids = db.execute("SELECT id FROM runs INDEXED BY runs_by_status").fetchall()
        rows = []
        for (id,) in sorted(map(tuple, ids)):
            try:
                with self._read() as db:
                    rows += db.execute("SELECT * FROM runs WHERE id = ?", (id,)).fetchall()
            except DamagedStore:
                self.mark_damaged(id, "a part of the file can't be read")
        return rows

    def damaged(self) -> dict[int, str]:
        """The runs in which something was found so far that can't be read, and what: "its result can't be read"."""
        if not self._damaged:
            return {}
        with self._read() as db:
            rows = db.execute(f"SELECT * FROM runs WHERE id {THESE}", (as_json(self._damaged),)).fetchall()
        for id in self._damaged.keys() - {row["id"] for row in rows}:  # Deleted in the meantime.
            del self._damaged[id]
            self._unreadable.discard(id)
        for row in rows:
            self._run(row)
        return dict(sorted(self._damaged.items()))

    def damage(self, id: int) -> str | None:
        """What can't be read of a run; None where nothing was found."""
        self.run(id)
        return self._damaged.get(id)

    def mark_damaged(self, id: int, what: str) -> DamagedRun:
        """Leave a run out from now on, of which something besides its row can't be read; an error that says so."""
        self._damaged[id] = what
        self._unreadable.add(id)
        return DamagedRun(self.source, id, what)

    # --- What a run left behind ---

    def history(self, ids: Sequence[int], split: str | None = None) -> pd.DataFrame:
        """The curves of some runs, by run, split and step: columns run, split, step, epoch, seconds, loss, accuracy.

        Args:
            split: only this one of `SPLITS`.
        """
        which = f"run IN ({HERE} {THESE}) AND split {THESE}"
        try:
            points = self._points(which, (as_json(ids), json.dumps([split] if split else SPLITS)))
        except DamagedStore:
            if len(ids) > 1:
                import pandas as pd

                return pd.concat([self.history([id], split) for id in ids], ignore_index=True)
            self.mark_damaged(ids[0], "its curves can't be read")
            points = np.empty((0, 7))
        return as_table(points)

    def curve(self, id: int, split: str, first: int = 0) -> np.ndarray:
        """One curve from a step on, in order of the steps: float64 (N, 4), step, seconds, loss, accuracy."""
        try:
            points = self._points(f"run = ({HERE} = ?) AND split = ? AND step >= ?", (id, split, first))
        except DamagedStore:
            self.mark_damaged(id, "its curves can't be read")
            return np.empty((0, 4))
        return points[:, [2, 4, 5, 6]]

    def _points(self, which: str, values: Sequence[object]) -> np.ndarray:
        """`points.read`; a run of which a point can't be read is put down."""
        with self._read() as db:
            points, damaged = read(db, which, values)
        for id in damaged:
            self.mark_damaged(id, "a point of its curves can't be read")
        return points

    def artifact(self, id: int, name: str) -> bytes | None:
        with self._read() as db:
            row = db.execute(f"SELECT data FROM artifacts WHERE run = ({HERE} = ?) AND name = ?", (id, name)).fetchone()
        return row[0] if row else None

    def logits(self, id: int) -> np.ndarray:
        """Test logits of a finished run, float16 (N, 10): rounded, so that several classes may have the largest one."""
        return self._array(id, "logits", np.float16, 2)

    def predictions(self, id: int, epoch: int, split: str = "test") -> np.ndarray:
        """Predicted labels after an epoch, uint8 (N,), of the images on which the run is measured then.

        Args:
            split: "test" or "validation".
        """
        predictions = self._array(id, predictions_name(split, epoch), np.uint8, 1)
        if not (predictions < metrics.CLASSES).all():
            raise self.mark_damaged(id, "its predictions can't be read")
        return predictions

    def held_out(self, run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a finished run that holds out images answers to them at its end: logits float16 (N, 10), predicted
        classes and labels, both uint8 (N,)."""
        predictions = self.predictions(run.id, run.kept_epoch, "validation")
        logits, labels = (
            self._array(run.id, HELD_OUT_LOGITS, np.float16, 2),
            self._array(run.id, HELD_OUT_LABELS, np.uint8, 1),
        )
        return logits, predictions, labels

    def predicted_classes(self, run: Run) -> np.ndarray:
        """What a finished run of this store predicts at its end, uint8 (N,): what everything is counted from."""
        if run.rounded and self.artifact(run.id, predictions_name("test", run.recipe.epochs)) is None:
            return metrics.predict(self.logits(run.id))  # So early that no predictions were kept.
        return self.predictions(run.id, run.recipe.epochs)

    def weights(self, id: int) -> bytes:
        """Weights of a finished run, a safetensors file."""
        return self._needed(id, "weights")

    def _array(self, id: int, name: str, dtype: type, dimensions: int) -> np.ndarray:
        data = self._needed(id, name)
        try:
            array = unpack(data)
        except Exception:  # What zlib and NumPy raise for damaged bytes is not settled.
            array = None
        if array is None or array.dtype != dtype or array.ndim != dimensions:
            raise self.mark_damaged(id, f"its {in_words(name)} can't be read")
        return array

    def _needed(self, id: int, name: str) -> bytes:
        try:
            data = self.artifact(id, name)
        except DamagedStore:
            raise self.mark_damaged(id, f"its {in_words(name)} can't be read") from None
        if isinstance(data, bytes):
            return data
        if data is not None:
            raise self.mark_damaged(id, f"its {in_words(name)} can't be read")
        run = self.run(id)
        if run and run.status == Status.DONE and name in ("weights", *measured(run.recipe)):
            raise self.mark_damaged(id, f"its {in_words(name)} are missing")
        raise StoreError(f"Run {id} has no {in_words(name)} in {self.path}: it is not finished, or was deleted.")

    def contents(self, id: int) -> tuple[dict[str, Any], dict[str, str] | None]:
        """All that is stored of a run, and the seal that it was given: `checksums.contents` and `checksums.read`."""
        with self._read() as db:
            return checksums.contents(db, id), checksums.read(db, id)

    # --- Has anything changed? ---

    def change_counter(self) -> tuple[int, ...]:
        """Changes whenever any process has changed the file: what a page compares to know whether to look again."""
        with self._read() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes, self._openings
