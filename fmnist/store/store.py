"""Store: one SQLite file that remembers runs, curves, weights and test logits.

Pages, the command line and the scheduler meet only here. The scheduler writes what training reports; the
others read, add runs to the queue, and write what does not come from training, such as names and imported runs.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from fmnist import metrics, settings
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import data_root
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.settings import SettingsError
from fmnist.store import answers, checksums
from fmnist.store.arrays import pack
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.database import StoreError as StoreError
from fmnist.store.database import inserted_id
from fmnist.store.deletion import Deletion
from fmnist.store.label import Label
from fmnist.store.run import Point, Record, Result, Run, Start, Status

REFERENCE = Path(__file__).parents[1] / "reference" / "reference.db"


def store_path(path: str | Path | None = None) -> Path:
    """The store's file: the argument, else FMNIST_RUNS, else `runs/` in the checkout or the user's own folder; in a
    folder it is `fmnist.db`."""
    chosen = settings.absolute(settings.unquoted(path)) if path else settings.runs()
    return chosen if chosen.suffix in {".db", ".sqlite"} and not settings.is_folder(chosen) else chosen / "fmnist.db"


def _root_setting(dataset: str) -> str:
    return "data_root" if dataset == DEFAULT else f"data_root/{dataset}"


class Store(Deletion):
    """The runs in one file: what is read of them (`StoreReader`), the queue (`RunQueue`), deleting (`Deletion`), what
    comes out, and what a user says of it.

    Args:
        source: whose runs they are, "own" or "reference": `Run.source` of each.
    """

    # --- What a user chose ---

    def setting(self, name: str) -> str | None:
        """Something that a user chose on a page for all pages."""
        with self._read() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        # One that can't be read counts as one that was never chosen.
        return row[0] if row and isinstance(row[0], str) and row[0].isprintable() else None

    def set_setting(self, name: str, value: str) -> None:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

    def data_root(self, dataset: str = DEFAULT) -> Path:
        """The data root for new runs on a data set: FMNIST_DATA, else the folder chosen on a page, else the default.
        Where none was chosen for this data set, it may lie in the one that was chosen for FashionMNIST."""
        if named := settings.named_data_root():
            return named
        chosen = self.setting(_root_setting(dataset)) or self.setting(_root_setting(DEFAULT))
        with suppress(SettingsError):  # It is damaged: as if none had been chosen, so that one can be.
            return data_root(chosen)
        return data_root()

    def choose_data_root(self, dataset: str, root: Path) -> None:
        """Look for a data set there from now on, on all pages."""
        self.set_setting(_root_setting(dataset), str(root))

    def set_label(self, id: int, label: Label, before: Label | None = None) -> bool:
        """Give a run a name and a note, in place of those that it had; an empty label takes them away.

        Args:
            before: what it had when somebody began to write. What they left as it was stays as it is by now: another
                may have written there meanwhile.

        Returns:
            Whether the run is there.

        Raises:
            LabelError: one of them is too long.
        """
        label = label.checked()
        with self._write() as db:
            if not db.execute("SELECT 1 FROM runs WHERE id = ?", (id,)).fetchone():
                return False
            if before is not None:  # An empty one is false.
                label = label.changed_from(before, self.label(id))
            if label:
                db.execute("INSERT OR REPLACE INTO labels (run, name, note) VALUES (?, ?, ?)", (id, *label.texts))
            else:
                db.execute("DELETE FROM labels WHERE run = ?", (id,))
        return True

    # --- What the scheduler writes ---

    def record_start(self, id: int, start: Start) -> None:
        """Note where a run is trained; forget what came after the step from which it goes on."""
        values = vars(start) | {"versions": json.dumps(start.versions), "updated": time.time()}
        with self._write() as db:
            columns = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE runs SET {columns} WHERE id = ?", (*values.values(), id))
            db.execute("DELETE FROM history WHERE run = ? AND step > ?", (id, start.step))
            db.execute("DELETE FROM artifacts WHERE run = ? AND name = ?", (id, answers.NAME))

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
        """End a run: all that belongs to its end appears together. A done run no longer needs its
        checkpoint, nor what it answered on the way."""
        with self._write() as db:
            self._add(db, id, points, artifacts or {})
            db.execute(
                "UPDATE runs SET status = ?, result = ?, error = ?, finished = ?, stop = 0 WHERE id = ?",
                (status, result.to_json() if result else None, error, time.time(), id),
            )
            if status == Status.DONE:
                names = "checkpoint", AT_ONCE, answers.NAME
                db.execute("DELETE FROM artifacts WHERE run = ? AND name IN (?, ?, ?)", (id, *names))
                checksums.attach(db, id)

    def recount(self, run: Run, predictions: np.ndarray, labels: np.ndarray) -> bool:
        """Put the classes that a finished run's weights predict, and what is counted over them, in place of what an
        earlier version counted from rounded logits.

        Args:
            predictions, labels: uint8 and int64 (N,), of the test images.

        Returns:
            Whether it was done: not for a run that is gone, is done already, or was changed by hand since it ended.
        """
        assert run.steps is not None
        names = checksums.recounted(run.recipe.epochs, run.steps)
        accuracy = metrics.accuracy(predictions, labels)
        with self._write() as db:
            contents, kept = checksums.contents(db, run.id), checksums.read(db, run.id)
            sums = checksums.sums({name: contents[name] for name in names if name in contents})
            row = db.execute("SELECT result FROM runs WHERE id = ? AND rounded", (run.id,)).fetchone()
            if row is None or (kept is not None and any(kept.get(name) != sums.get(name) for name in names)):
                return False
            result = json.loads(row[0]) | {
                "test_accuracy": accuracy,
                "dead": metrics.is_dead(predictions),
                "never_predicted": metrics.never_predicted(predictions),
            }
            db.execute("UPDATE runs SET result = ?, rounded = 0 WHERE id = ?", (json.dumps(result), run.id))
            db.execute(
                "UPDATE history SET accuracy = ? WHERE run = ? AND split = 'test' AND step = ?",
                (accuracy, run.id, run.steps),
            )
            self._add(db, run.id, (), {f"predictions/{run.recipe.epochs}": pack(predictions)})
            checksums.renew(db, run.id, names)
        return True

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

    # --- Runs of other stores ---

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
                values = record.columns | {
                    "data_root": "",
                    "priority": order.index(model),
                    "rounded": record.rounded,
                }
                cursor = db.execute(
                    f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                    tuple(values.values()),
                )
                id = inserted_id(cursor)
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
                if record.label:
                    db.execute("INSERT INTO labels (run, name, note) VALUES (?, ?, ?)", (id, *record.label.texts))
        return added
