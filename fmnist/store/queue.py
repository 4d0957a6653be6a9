"""The queue of a store: asking for runs, stopping them, and handing them out to be trained."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.settings import Asker
from fmnist.store.database import THESE, StoreError, as_json, inserted_id, listed
from fmnist.store.more_epochs import go_on_from
from fmnist.store.reading import StoreReader
from fmnist.store.rows import MODEL, without
from fmnist.store.run import ACTIVE, RESUMABLE, Run, Status
from fmnist.store.schema import ASKERS

KEPT = (*ACTIVE, Status.INTERRUPTED, Status.DONE)
"""A recipe with a run that stands so is not asked for twice."""

TRAINABLE = f"status = '{Status.QUEUED}' AND {MODEL} IN (SELECT value FROM json_each(:models))"
"""In SQL: queued, and of a model that this program has; :models is a JSON list of them. Others wait for one that has
it."""


class TooManyRuns(StoreError):
    """Somebody asks for more runs than one may have in the queue."""


class RunQueue(StoreReader):
    """The queued and running runs of a store."""

    # --- What pages and the command line ask for ---

    def enqueue(
        self,
        recipes: Iterable[tuple[Recipe, str]],
        data_root: Path,
        *,
        again: bool = False,
        cluster: str | None = None,
        asker: Asker | None = None,
        earlier: Mapping[str, Run] | None = None,
    ) -> list[tuple[int, bool]]:
        """Ask for recipes to be trained.

        A recipe that is queued or running already, or done (unless `again`), is not asked for twice; one that was
        interrupted is taken up where it stopped.

        Args:
            recipes: pairs of a recipe and its key.
            data_root: where the scheduler shall read the data.
            again: train also what is done.
            cluster: the address of the Ray cluster that shall train them; None: this machine.
            asker: who asks, if their runs are counted; what somebody else has asked for already is not theirs.
            earlier: by key, finished runs of fewer epochs from which new ones go on: `more_epochs`.

        Returns:
            For each recipe the id of its run, and whether it has to be trained.

        Raises:
            TooManyRuns: the asker would have more runs than allowed; none is queued.
        """
        found: list[tuple[int, bool]] = []
        added: list[int] = []
        now = time.time()  # The same for all: `newest_request` knows them by it.
        with self._write() as db:
            for recipe, key in recipes:
                row = self._kept(db, recipe, key)
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
                found.append((inserted_id(cursor), True))
                added.append(inserted_id(cursor))
                if earlier and key in earlier:
                    go_on_from(db, inserted_id(cursor), earlier[key])
            self._charge_to(db, asker, added)
        return found

    def _kept(self, db: sqlite3.Connection, recipe: Recipe, key: str) -> sqlite3.Row | None:
        """The row of a run of this recipe that is wanted, interrupted or done; one that is done last."""
        rows = db.execute(
            f"SELECT * FROM runs WHERE key = ? AND status IN {listed(KEPT)} AND NOT stop "
            f"ORDER BY status = '{Status.DONE}', id DESC",
            (key,),
        ).fetchall()
        # The recipe decides: a run that came from elsewhere may stand under the key of another one.
        readable = (row for row in rows if row["id"] not in self._unreadable)
        return next((row for row in readable if (run := self._run(row)) and run.recipe == recipe), None)

    def resume(
        self,
        *ids: int,
        cluster: str | None = None,
        asker: Asker | None = None,
        data_roots: Mapping[int, Path] | None = None,
    ) -> bool:
        """Queue interrupted or stopped runs again, here or on a cluster; they go on from their last finished epoch.

        Args:
            data_roots: by the ids of some of them, where their data are now.

        Returns:
            Whether any was queued.

        Raises:
            TooManyRuns: as `enqueue`.
        """
        with self._write() as db:
            queued = [id for id in ids if self._requeue(db, id, cluster)]
            moved = [(str(root), id) for id, root in (data_roots or {}).items() if id in queued]
            db.executemany("UPDATE runs SET data_root = ? WHERE id = ?", moved)
            self._charge_to(db, asker, queued)
        return bool(queued)

    def is_full(self, asker: Asker | None) -> bool:
        """Whether somebody has as many queued and running runs as they may have; nobody has where none are counted."""
        if asker is None:
            return False
        with self._read() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'askers'").fetchone():
                return False  # It is made when the first run is counted.
            return self._active_of(db, asker) >= asker.limit

    @staticmethod
    def _active_of(db: sqlite3.Connection, asker: Asker) -> int:
        """How many queued and running runs somebody has."""
        count: int = db.execute(
            f"SELECT count(*) FROM askers JOIN runs ON runs.id = run WHERE who = ? AND status IN {listed(ACTIVE)}",
            (asker.who,),
        ).fetchone()[0]
        return count

    @staticmethod
    def _charge_to(db: sqlite3.Connection, asker: Asker | None, ids: Sequence[int]) -> None:
        """Put runs that have just been queued down to whoever asked for them, unless they are too many."""
        if asker is None or not ids:
            return
        db.execute(ASKERS)
        db.executemany("INSERT OR REPLACE INTO askers (run, who) VALUES (?, ?)", [(id, asker.who) for id in ids])
        count = RunQueue._active_of(db, asker)
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
                f"cluster = ? WHERE id = ? AND status IN {listed(RESUMABLE)}",
                (cluster, id),
            ).rowcount
        )

    def move_to_local(self, cluster: str) -> None:
        """Train here what is queued for a cluster."""
        with self._write() as db:
            db.execute(f"UPDATE runs SET cluster = NULL WHERE status = '{Status.QUEUED}' AND cluster = ?", (cluster,))

    def request_stop(self, ids: Iterable[int]) -> None:
        """Stop these runs: a queued one at once, a running one as soon as the scheduler looks."""
        wanted = as_json(ids)
        these = f"id {THESE}"
        with self._write() as db:
            db.execute(
                f"UPDATE runs SET status = '{Status.CANCELLED}', finished = ? "
                f"WHERE status = '{Status.QUEUED}' AND {these}",
                (time.time(), wanted),
            )
            db.execute(f"UPDATE runs SET stop = 1 WHERE status = '{Status.RUNNING}' AND {these}", (wanted,))

    # --- What the scheduler takes ---

    def waiting(self, beside: Run | None = None) -> int:
        """How many runs that are queued for this machine have the recipe of this run, or else of the next one in the
        queue, but for the seed."""
        with self._read() as db:
            return db.execute(
                f"SELECT count(*) FROM runs WHERE {TRAINABLE} AND cluster IS NULL AND {without('seed')} = "
                f"coalesce({without('seed', ':beside')}, (SELECT {without('seed')} FROM runs WHERE {TRAINABLE} "
                "AND cluster IS NULL ORDER BY priority, id LIMIT 1))",
                {"models": json.dumps(list(ARCHITECTURES)), "beside": beside and beside.recipe.to_json()},
            ).fetchone()[0]

    def waiting_for_clusters(self) -> dict[str, int]:
        """How many runs are queued for each cluster for which some are, by its address."""
        with self._read() as db:
            return dict(
                db.execute(
                    f"SELECT cluster, count(*) FROM runs WHERE {TRAINABLE} AND cluster IS NOT NULL GROUP BY cluster",
                    {"models": json.dumps(list(ARCHITECTURES))},
                ).fetchall()
            )

    def claim(self, beside: Run | None = None, cluster: str | None = None) -> Run | None:
        """The next run that is queued for this machine, or for a cluster, now running: the quickest model first, then
        the oldest.

        Args:
            beside: only one with the recipe of this run but for the seed.
        """
        with self._write() as db:
            while row := db.execute(
                f"UPDATE runs SET status = '{Status.RUNNING}', stop = 0, started = coalesce(started, :now), "
                f"updated = :now WHERE id = (SELECT id FROM runs WHERE {TRAINABLE} AND cluster IS :cluster "
                f"AND (:beside IS NULL OR {without('seed')} = {without('seed', ':beside')}) "
                "ORDER BY priority, id LIMIT 1) RETURNING *",
                {
                    "models": json.dumps(list(ARCHITECTURES)),
                    "beside": beside and beside.recipe.to_json(),
                    "now": time.time(),
                    "cluster": cluster,
                },
            ).fetchall():
                if run := self._run(row[0]):
                    return run
                db.execute(
                    f"UPDATE runs SET status = '{Status.FAILED}', error = ?, finished = ? WHERE id = ?",
                    (f"It is damaged: {self._damaged.get(row[0]['id'])}.", time.time(), row[0]["id"]),
                )
        return None

    def give_back(self, id: int) -> None:
        """Queue a running run again, whose place on a cluster is gone; one that shall stop is stopped."""
        with self._write() as db:
            db.execute(
                f"UPDATE runs SET status = CASE stop WHEN 1 THEN '{Status.CANCELLED}' ELSE '{Status.QUEUED}' END, "
                "node = NULL, finished = CASE stop WHEN 1 THEN ? END, stop = 0 "
                f"WHERE id = ? AND status = '{Status.RUNNING}'",
                (time.time(), id),
            )

    def interrupt_running(self) -> int:
        """Mark runs that nobody trains any more; their number. Only for the holder of the scheduler's lock."""
        with self._write() as db:
            return db.execute(
                f"UPDATE runs SET status = CASE stop WHEN 1 THEN '{Status.CANCELLED}' ELSE '{Status.INTERRUPTED}' END, "
                f"stop = 0, finished = ? WHERE status = '{Status.RUNNING}'",
                (time.time(),),
            ).rowcount
