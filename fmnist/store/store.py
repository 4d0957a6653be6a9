"""Store: one SQLite file that remembers runs, curves, weights and test logits.

Pages, the command line and the trainer meet only here. The trainer writes; the others read, and add runs to the queue.
"""

from __future__ import annotations

import io
import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist import settings
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import data_root
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.settings import Asker
from fmnist.store import checksums
from fmnist.store.database import Database
from fmnist.store.database import StoreError as StoreError
from fmnist.store.run import ACTIVE, RESUMABLE, Point, Record, Result, Run, RunState, Start, Status

if TYPE_CHECKING:
    import pandas as pd

KEPT = (*ACTIVE, Status.INTERRUPTED, Status.DONE)
"""A recipe with a run that stands so is not asked for twice."""

REFERENCE = Path(__file__).parents[1] / "reference" / "reference.db"

TRAINABLE = f"status = '{Status.QUEUED}' AND json_extract(recipe, '$.model') IN (SELECT value FROM json_each(?1))"
"""In SQL: queued, and of a model that this program has, of which ?1 is a JSON list. Others wait for one that has it."""

# Made when it is first needed: a store in which nobody counts has none, nor has one of an earlier version.
ASKERS = """
CREATE TABLE IF NOT EXISTS askers (
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    who TEXT NOT NULL  -- settings.Asker.who
)
"""


class TooManyRuns(StoreError):
    """Somebody asks for more runs than one may have in the queue."""


def store_path(path: str | Path | None = None) -> Path:
    """The store's file: the argument, else FMNIST_RUNS, else `runs/` in the checkout or the user's own folder; in a
    folder it is `fmnist.db`."""
    chosen = settings.absolute(path) if path else settings.runs()
    return chosen if chosen.suffix in {".db", ".sqlite"} and not chosen.is_dir() else chosen / "fmnist.db"


def pack(array: np.ndarray) -> bytes:
    """An array as compressed bytes in NumPy's own format, without pickle."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return zlib.compress(file.getvalue(), 6)


def unpack(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)


def _root_setting(dataset: str) -> str:
    return "data_root" if dataset == DEFAULT else f"data_root/{dataset}"


def _sql(statuses: Iterable[Status]) -> str:
    """Statuses in SQL, to stand after IN."""
    return "('" + "', '".join(statuses) + "')"


def _inserted(cursor: sqlite3.Cursor) -> int:
    """The id of the row that a statement has inserted."""
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _as_json(ids: Iterable[int]) -> str:
    """Ids for SQLite's json_each: they may be more than a statement can have parameters."""
    return json.dumps([int(id) for id in ids])


class Store(Database):
    """The runs in one file: what `Database` says of opening holds for it.

    Args:
        source: whose runs they are, "own" or "reference": `Run.source` of each.
    """

    def __init__(self, path: Path, *, read_only: bool = False, source: str = "own") -> None:
        super().__init__(path, read_only=read_only)
        self.source = source

    # --- Reading ---

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

    def done_keys(self) -> set[str]:
        """The keys of all finished runs: what does not have to be trained again."""
        with self._read() as db:
            return {row[0] for row in db.execute(f"SELECT key FROM runs WHERE status = '{Status.DONE}'")}

    def newest_batch(self) -> list[RunState]:
        """The runs that were asked for together with the newest one, and all that are active; in training order."""
        with self._read() as db:
            # The newest run that is older than the batch is found from the end: every viewer asks this twice a second.
            rows = db.execute(
                f"SELECT id, status, step, finished FROM runs WHERE (status IN {_sql(ACTIVE)} OR id > coalesce(("
                "SELECT id FROM runs WHERE created < (SELECT created FROM runs ORDER BY id DESC LIMIT 1) "
                "ORDER BY id DESC LIMIT 1), 0)) AND json_extract(recipe, '$.model') IN (SELECT value FROM json_each(?))"
                " ORDER BY priority, id",
                (json.dumps(list(ARCHITECTURES)),),
            ).fetchall()
        return [RunState(id, Status(status), step, finished) for id, status, step, finished in rows]

    def by_ids(self, ids: Iterable[int], status: Status | None = None) -> list[Run]:
        """Those of these runs that are there, or only those with a status; in training order."""
        with self._read() as db:
            rows = db.execute(
                "SELECT * FROM runs WHERE id IN (SELECT value FROM json_each(?1)) AND status = coalesce(?2, status) "
                "ORDER BY priority, id",
                (_as_json(ids), status),
            ).fetchall()
        return [run for row in rows if (run := self._run(row))]

    def count_active(self, ids: Iterable[int]) -> int:
        """How many of these runs are queued or running."""
        with self._read() as db:
            return db.execute(
                f"SELECT count(*) FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND status IN {_sql(ACTIVE)}",
                (_as_json(ids),),
            ).fetchone()[0]

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
                (_as_json(ids), split),
            ).fetchall()
        return pd.DataFrame([tuple(row) for row in rows], columns=columns)

    def change_counter(self) -> tuple[int, ...]:
        """Changes whenever any process has changed the file: what a page compares to know whether to look again."""
        with self._read() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes, self._openings

    def setting(self, name: str) -> str | None:
        """Something that a user chose on a page for all pages."""
        with self._read() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def data_root(self, dataset: str = DEFAULT) -> Path:
        """The data root for new runs on a data set: FMNIST_DATA, else the folder chosen on a page, else the default.
        Where none was chosen for this data set, it may lie in the one that was chosen for FashionMNIST."""
        chosen = self.setting(_root_setting(dataset)) or self.setting(_root_setting(DEFAULT))
        return settings.named_data_root() or data_root(chosen)

    def choose_data_root(self, dataset: str, root: Path) -> None:
        """Look for a data set there from now on, on all pages."""
        self.set_setting(_root_setting(dataset), str(root))

    def set_setting(self, name: str, value: str) -> None:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

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

    def sealed_ids(self) -> list[int]:
        """The ids of all runs that are done, or were when they were sealed."""
        with self._read() as db:
            rows = db.execute(
                f"SELECT id FROM runs WHERE status = '{Status.DONE}' "
                "OR id IN (SELECT run FROM artifacts WHERE name = ?) ORDER BY id",
                (checksums.NAME,),
            ).fetchall()
        return [row[0] for row in rows]

    def contents(self, id: int) -> tuple[dict[str, Any], dict[str, str] | None]:
        """All that is stored of a run, and the seal that it was given: `checksums.contents` and `checksums.read`."""
        with self._read() as db:
            return checksums.contents(db, id), checksums.read(db, id)

    def _needed(self, id: int, name: str) -> bytes:
        data = self.artifact(id, name)
        if data is None:
            raise StoreError(
                f"Run {id} has no {name.split('/')[0]} in {self.path}: it is not finished, or was deleted."
            )
        return data

    # --- Runs of other stores ---

    def holds(self, key: str, identity: str) -> bool:
        """Whether this very run (`checksums.identity`) is here; one trained again by the same recipe is another one."""
        with self._read() as db:
            rows = db.execute(f"SELECT id FROM runs WHERE key = ? AND status = '{Status.DONE}'", (key,)).fetchall()
            return any(checksums.identity(checksums.contents(db, row[0])) == identity for row in rows)

    def insert(self, records: Iterable[Record]) -> list[int]:
        """Add finished runs as they are, all of them or, if an error comes up, none; but those that are here already.

        Args:
            records: of known models, and checked: nothing is looked at here.

        Returns:
            The ids of those that were added.
        """
        order, added = list(ARCHITECTURES), []
        with self._write() as db:
            for record in records:
                if self.holds(record.columns["key"], record.identity):
                    continue
                model = Recipe.from_json(record.columns["recipe"]).model
                values = record.columns | {"data_root": "", "priority": order.index(model)}
                cursor = db.execute(
                    f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                    tuple(values.values()),
                )
                id = _inserted(cursor)
                added.append(id)
                db.executemany(
                    "INSERT INTO history (run, split, step, epoch, seconds, loss, accuracy) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(id, *point) for point in record.points],
                )
                db.executemany(
                    "INSERT INTO artifacts (run, name, data) VALUES (?, ?, ?)",
                    [(id, name, data) for name, data in record.artifacts.items()],
                )
        return added

    # --- The queue: what pages and the command line add ---

    def enqueue(
        self,
        recipes: Iterable[tuple[Recipe, str]],
        data_root: Path,
        *,
        again: bool = False,
        cluster: str | None = None,
        asker: Asker | None = None,
    ) -> list[tuple[int, bool]]:
        """Ask for recipes to be trained.

        A recipe that is queued or running already, or done (unless `again`), is not asked for twice; one that was
        interrupted is taken up where it stopped.

        Args:
            recipes: pairs of a recipe and its key.
            data_root: where the trainer shall read the data.
            again: train also what is done.
            cluster: the address of the Ray cluster that shall train them; None: this machine.
            asker: who asks, if their runs are counted; what somebody else has asked for already is not theirs.

        Returns:
            For each recipe the id of its run, and whether it has to be trained.

        Raises:
            TooManyRuns: the asker would have more runs than allowed; none is queued.
        """
        found: list[tuple[int, bool]] = []
        added: list[int] = []
        now = time.time()  # The same for all: `newest_batch` knows them by it.
        with self._write() as db:
            for recipe, key in recipes:
                row = db.execute(
                    f"SELECT id, status FROM runs WHERE key = ? AND status IN {_sql(KEPT)} AND NOT stop "
                    f"ORDER BY status = '{Status.DONE}', id DESC",
                    (key,),
                ).fetchone()
                if row and (row["status"] != Status.DONE or not again):
                    if row["status"] == Status.INTERRUPTED:
                        self._requeue(db, row["id"], cluster)
                        db.execute("UPDATE runs SET data_root = ? WHERE id = ?", (str(data_root), row["id"]))
                        added.append(row["id"])
                    found.append((row["id"], row["status"] != Status.DONE))
                    continue
                cursor = db.execute(
                    "INSERT INTO runs (key, recipe, data_root, cluster, priority, created) VALUES (?, ?, ?, ?, ?, ?)",
                    (key, recipe.to_json(), str(data_root), cluster, ARCHITECTURES.place(recipe.model), now),
                )
                found.append((_inserted(cursor), True))
                added.append(_inserted(cursor))
            self._put_down(db, asker, added)
        return found

    def resume(self, *ids: int, cluster: str | None = None, asker: Asker | None = None) -> bool:
        """Queue interrupted or stopped runs again, here or on a cluster; they go on from their last finished epoch.

        Returns:
            Whether any was queued.

        Raises:
            TooManyRuns: as `enqueue`.
        """
        with self._write() as db:
            queued = [id for id in ids if self._requeue(db, id, cluster)]
            self._put_down(db, asker, queued)
        return bool(queued)

    @staticmethod
    def _put_down(db: sqlite3.Connection, asker: Asker | None, ids: Sequence[int]) -> None:
        """Put runs that have just been queued down to whoever asked for them, unless they are too many."""
        if asker is None or not ids:
            return
        db.execute(ASKERS)
        db.executemany("INSERT OR REPLACE INTO askers (run, who) VALUES (?, ?)", [(id, asker.who) for id in ids])
        count = db.execute(
            f"SELECT count(*) FROM askers JOIN runs ON runs.id = run WHERE who = ? AND status IN {_sql(ACTIVE)}",
            (asker.who,),
        ).fetchone()[0]
        if count > asker.limit:
            raise TooManyRuns(
                f"At most {asker.limit:,} of your runs may be queued or running at a time: there are "
                f"{count - len(ids):,}, and this would add {len(ids):,}. Wait for some to end, or ask for fewer."
            )

    @staticmethod
    def _requeue(db: sqlite3.Connection, id: int, cluster: str | None) -> bool:
        return bool(
            db.execute(
                f"UPDATE runs SET status = '{Status.QUEUED}', stop = 0, error = NULL, finished = NULL, node = NULL, "
                f"cluster = ? WHERE id = ? AND status IN {_sql(RESUMABLE)}",
                (cluster, id),
            ).rowcount
        )

    def move_to_local(self, cluster: str) -> None:
        """Train here what is queued for a cluster."""
        with self._write() as db:
            db.execute(f"UPDATE runs SET cluster = NULL WHERE status = '{Status.QUEUED}' AND cluster = ?", (cluster,))

    def request_stop(self, ids: Iterable[int]) -> None:
        """Stop these runs: a queued one at once, a running one as soon as the trainer looks."""
        wanted = _as_json(ids)
        these = "id IN (SELECT value FROM json_each(?))"
        with self._write() as db:
            db.execute(
                f"UPDATE runs SET status = '{Status.CANCELLED}', finished = ? "
                f"WHERE status = '{Status.QUEUED}' AND {these}",
                (time.time(), wanted),
            )
            db.execute(f"UPDATE runs SET stop = 1 WHERE status = '{Status.RUNNING}' AND {these}", (wanted,))

    def delete(self, id: int) -> bool:
        """Delete a run with its curves and weights. A queued or running one has to be stopped first."""
        with self._write() as db:
            return bool(db.execute(f"DELETE FROM runs WHERE id = ? AND status NOT IN {_sql(ACTIVE)}", (id,)).rowcount)

    # --- What the trainer writes ---

    def waiting(self, beside: Run | None = None) -> int:
        """How many runs that are queued for this machine have the recipe of this run, or else of the next one in the
        queue, but for the seed."""
        with self._read() as db:
            return db.execute(
                f"SELECT count(*) FROM runs WHERE {TRAINABLE} AND cluster IS NULL AND json_remove(recipe, '$.seed') = "
                f"json_remove(coalesce(?2, (SELECT recipe FROM runs WHERE {TRAINABLE} AND cluster IS NULL "
                "ORDER BY priority, id LIMIT 1)), '$.seed')",
                (json.dumps(list(ARCHITECTURES)), beside and beside.recipe.to_json()),
            ).fetchone()[0]

    def waiting_for_clusters(self) -> dict[str, int]:
        """How many runs are queued for each cluster for which some are, by its address."""
        with self._read() as db:
            return dict(
                db.execute(
                    f"SELECT cluster, count(*) FROM runs WHERE {TRAINABLE} AND cluster IS NOT NULL GROUP BY cluster",
                    (json.dumps(list(ARCHITECTURES)),),
                ).fetchall()
            )

    def claim(self, beside: Run | None = None, cluster: str | None = None) -> Run | None:
        """The next run that is queued for this machine, or for a cluster, now running: the quickest model first, then
        the oldest.

        Args:
            beside: only one with the recipe of this run but for the seed.
        """
        with self._write() as db:
            row = db.execute(
                f"UPDATE runs SET status = '{Status.RUNNING}', stop = 0, started = coalesce(started, ?3), updated = ?3 "
                f"WHERE id = (SELECT id FROM runs WHERE {TRAINABLE} AND cluster IS ?4 "
                "AND (?2 IS NULL OR json_remove(recipe, '$.seed') = json_remove(?2, '$.seed')) "
                "ORDER BY priority, id LIMIT 1) RETURNING *",
                (json.dumps(list(ARCHITECTURES)), beside and beside.recipe.to_json(), time.time(), cluster),
            ).fetchall()
        return self._run(row[0]) if row else None

    def give_back(self, id: int) -> None:
        """Queue a running run again, whose place on a cluster is gone; one that shall stop is stopped."""
        with self._write() as db:
            db.execute(
                f"UPDATE runs SET status = CASE stop WHEN 1 THEN '{Status.CANCELLED}' ELSE '{Status.QUEUED}' END, "
                "node = NULL, finished = CASE stop WHEN 1 THEN ? END, stop = 0 "
                f"WHERE id = ? AND status = '{Status.RUNNING}'",
                (time.time(), id),
            )

    def record_start(self, id: int, start: Start) -> None:
        """Note where a run is trained; forget points after the step from which it goes on."""
        values = vars(start) | {"versions": json.dumps(start.versions), "updated": time.time()}
        with self._write() as db:
            columns = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE runs SET {columns} WHERE id = ?", (*values.values(), id))
            db.execute("DELETE FROM history WHERE run = ? AND step > ?", (id, start.step))

    def record(
        self,
        id: int,
        points: Sequence[Point],
        *,
        images_per_second: float | None,
        artifacts: dict[str, bytes],
    ) -> bool:
        """Add points to a running run's curves, and artifacts. Returns whether the run should go on."""
        with self._write() as db:
            self._add(db, id, points, artifacts)
            row = db.execute(
                "UPDATE runs SET images_per_second = coalesce(?, images_per_second), updated = ? "
                "WHERE id = ? RETURNING stop",
                (images_per_second, time.time(), id),
            ).fetchall()
        return bool(row) and not row[0]["stop"]

    def finish(
        self,
        id: int,
        status: Status,
        *,
        points: Sequence[Point] = (),
        result: Result | None = None,
        artifacts: dict[str, bytes] | None = None,
        error: str | None = None,
    ) -> None:
        """End a run: all that belongs to its end appears together. A done run no longer needs its checkpoint."""
        with self._write() as db:
            self._add(db, id, points, artifacts or {})
            db.execute(
                "UPDATE runs SET status = ?, result = ?, error = ?, finished = ?, stop = 0 WHERE id = ?",
                (status, result.to_json() if result else None, error, time.time(), id),
            )
            if status == Status.DONE:
                db.execute("DELETE FROM artifacts WHERE run = ? AND name = 'checkpoint'", (id,))
                checksums.attach(db, id)

    def interrupt_running(self) -> int:
        """Mark runs that nobody trains any more; their number. Only for the holder of the trainer's lock."""
        with self._write() as db:
            return db.execute(
                f"UPDATE runs SET status = CASE stop WHEN 1 THEN '{Status.CANCELLED}' ELSE '{Status.INTERRUPTED}' END, "
                f"stop = 0, finished = ? WHERE status = '{Status.RUNNING}'",
                (time.time(),),
            ).rowcount

    @staticmethod
    def _add(db: sqlite3.Connection, id: int, points: Sequence[Point], artifacts: dict[str, bytes]) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO history (run, split, step, epoch, seconds, loss, accuracy) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(id, p.split, p.step, p.epoch, p.seconds, p.loss, p.accuracy) for p in points],
        )
        if points:
            db.execute("UPDATE runs SET step = ? WHERE id = ?", (max(point.step for point in points), id))
        db.executemany(
            "INSERT OR REPLACE INTO artifacts (run, name, data) VALUES (?, ?, ?)",
            [(id, name, data) for name, data in artifacts.items()],
        )
