"""Take the finished runs of another store in: of a colleague, or of another machine.

The file is not trusted. It is opened read-only and never written beside, each thing in it is looked at before anything
is taken, and then all runs come in together, in one transaction, or none. Imports torch: weights must fit their model.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from fmnist import metrics
from fmnist.commands.import_file import MAX_BYTES, ImportRefused, opened
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError, Dataset
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.recount import recount
from fmnist.recipe import LATER, Recipe
from fmnist.store import checksums
from fmnist.store.arrays import read_exactly
from fmnist.store.artifacts import HELD_OUT_LABELS, HELD_OUT_LOGITS, predictions_name
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.library import Library
from fmnist.store.run import TIMES, Record, Result, Status
from fmnist.store.schema import APPLICATION_ID, LABELS_SINCE, ROUNDED_SINCE, SCHEMA_VERSION
from fmnist.store.values import FINITE, is_number, is_share, is_time, is_whole

MAX_TEXT = 200  # characters of a name
MAX_JSON = 100_000
MAX_IMAGES = 1_000_000
MAX_POINTS = 200_000
"""Of a run's curves. Training of a thousand epochs leaves less than half of that."""

POINT = ("split", "step", "epoch", "seconds", "loss", "accuracy")
RUN_COLUMNS = {"id", "result", *checksums.COLUMNS}
NEEDED = {"runs": RUN_COLUMNS, "history": {"run", *POINT}, "artifacts": {"run", "name", "data"}}


class _InvalidRun(Exception):
    """Something in a run is not what it should be: what, in a few words."""


@dataclass
class Imported:
    """What came of it."""

    ids: list[int] = field(default_factory=list)  # in the own store
    doubles: int = 0  # were there already, or come with the project
    unfinished: int = 0  # are not done, and are left
    unknown: int = 0  # of models or data that this program does not have, and are left

    @property
    def text(self) -> str:
        """For people, in a sentence."""
        said = [f"Imported {_runs(len(self.ids))}"]
        said += [f"{self.doubles:,} already here"] if self.doubles else []
        said += [f"{self.unfinished:,} skipped as unfinished"] if self.unfinished else []
        said += [f"{self.unknown:,} skipped, of models or data that this program does not have"] if self.unknown else []
        return "; ".join(said) + "."


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def import_runs(library: Library, path: Path, load: Callable[[str], Dataset]) -> Imported:
    """Take in the finished runs of a store's file that are not here yet.

    Args:
        load: gives the data set with a name, or raises DataError. Where the data are at hand, a run must have an answer
            for each test image.

    Raises:
        ImportRefused: the file is not a store, or something in it is not what it should be; nothing was taken in.
        StoreError: the own store can't be written.
    """
    with opened(path) as source:
        checked = _Source(source, path, load)
        imported = Imported(unfinished=checked.count(f"status != '{Status.DONE}'"))
        found = list(checked.check(imported))
        taken: dict[str, int] = {}  # Of those that are in the file twice, the first.
        for id, key, identity in found:
            if not any(store.holds(key, identity) for store in library.stores.values()):
                taken.setdefault(identity, id)
        imported.ids = library.own.insert(checked.record(id) for id in taken.values())
        recount(library.own, load, imported.ids)
        imported.doubles = len(found) - len(imported.ids)
    return imported


class _Source:
    """Runs in somebody's file."""

    def __init__(self, db: sqlite3.Connection, path: Path, load: Callable[[str], Dataset]) -> None:
        self._db, self._path, self._load = db, path, load
        self._models: dict[str, torch.nn.Module] = {}
        self._images: dict[str, int | None] = {}
        [application], [version] = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        self._since = ["rounded"] if version >= ROUNDED_SINCE else []
        self._needed = NEEDED | ({"labels": {"run", "name", "note"}} if version >= LABELS_SINCE else {})
        self._check_file(application, version)

    def _check_file(self, application: int, version: int) -> None:
        if application != APPLICATION_ID:
            raise ImportRefused(f"{self._path} is a SQLite file of another program: it has no runs.")
        if version > SCHEMA_VERSION:
            raise ImportRefused(
                f"{self._path} was written by a newer version of this program (store version {version}; this one reads "
                f"{SCHEMA_VERSION}): update the program."
            )
        for table, columns in self._needed.items():
            # Plain tables with stored columns: reading them runs no code of the file's.
            made = self._db.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
            plain = [kind for kind, text in made] == ["table"] and not re.match(r"(?i)create\s+virtual", made[0][1])
            found = self._db.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
            columns = columns | {*self._since} if table == "runs" else columns
            if not plain or not columns <= {name for name, hidden in found if not hidden}:
                raise ImportRefused(
                    f"{self._path} does not have the tables of this program's stores; nothing was imported."
                )
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise ImportRefused(f"{self._path} can't be imported: it is damaged.")

    def count(self, condition: str) -> int:
        return self._db.execute(f"SELECT count(*) FROM runs WHERE {condition}").fetchone()[0]

    def check(self, imported: Imported) -> Iterator[tuple[int, str, str]]:
        """Look at each finished run; of those that can be taken in, id, key and identity."""
        for [id] in self._db.execute(f"SELECT id FROM runs WHERE status = '{Status.DONE}' ORDER BY id").fetchall():
            if not isinstance(id, int):
                raise ImportRefused(f"{self._path} has a run without a number; nothing was imported.")
            try:
                record = self.record(id)
                if _is_unknown(record.columns["recipe"]):
                    imported.unknown += 1
                    continue
                self._check(record)
                self._check_seal(id)
            except _InvalidRun as wrong:
                raise ImportRefused(f"Run {id} of {self._path} has {wrong}; nothing was imported.") from None
            except RecursionError:
                raise ImportRefused(f"Run {id} of {self._path} is nested too deeply; nothing was imported.") from None
            yield id, record.columns["key"], record.identity

    def record(self, id: int) -> Record:
        """All of a run, as it stands there."""
        names = (*checksums.COLUMNS, "result", *self._since)
        [row] = self._db.execute(f"SELECT {', '.join(names)} FROM runs WHERE id = ?", (id,)).fetchall()
        columns = dict(zip(names, row, strict=True))
        rounded = columns.pop("rounded", 1)
        # No more than it can have: one in each step, one after each, one at the end. What is beyond is not even read.
        most = 2 * columns["steps"] + 1 if is_whole(columns["steps"], 1) else 0
        points = self._db.execute(
            f"SELECT {', '.join(POINT)} FROM history WHERE run = ? LIMIT ?", (id, min(most, MAX_POINTS) + 1)
        ).fetchall()
        if len(points) > min(most, MAX_POINTS):
            raise _InvalidRun("more points in its curves than it has steps")
        artifacts = self._db.execute("SELECT name, data FROM artifacts WHERE run = ?", (id,)).fetchall()
        if len({name for name, _ in artifacts}) < len(artifacts) or len({point[:2] for point in points}) < len(points):
            raise _InvalidRun("the same artifact or point twice")
        identity = checksums.identity(checksums.lasting(checksums.contents(self._db, id)))
        return Record(columns, points, dict(artifacts), identity, rounded, self._label(id))

    def _label(self, id: int) -> Label:
        """What can't be shown counts as empty: nothing depends on it."""
        if "labels" not in self._needed:
            return NO_LABEL
        found = self._db.execute("SELECT name, note FROM labels WHERE run = ?", (id,)).fetchone()
        return Label.from_store(*found) if found else NO_LABEL

    # --- A run ---

    def _check(self, record: Record) -> None:
        columns = record.columns
        recipe = _recipe(columns["recipe"])
        _need(re.fullmatch(r"[0-9a-f]{32}", _text(columns["key"])), "an invalid key")
        for name in ("device", "machine"):
            _need(_is_name(columns[name]), f"no {name}")
        for name in ("created", "started", "updated", "finished"):
            _need(is_time(columns[name]), f"no time {name}")
        for name in ("threads", "parameters", "steps"):
            _need(is_whole(columns[name], 1), f"no number of {name}")
        counted = columns["multiply_adds"]
        _need(counted is None or is_whole(counted), "no number of multiply_adds")
        _need(columns["step"] == columns["steps"], "a last step that is not its number of steps")
        _need(columns["images_per_second"] is None or is_number(columns["images_per_second"], 0), "no speed")
        _need(record.rounded in (0, 1), "no record of how it was counted")
        _need(columns["error"] is None, "an error, though it is done")
        versions = _json(columns["versions"], "versions")
        _need(all(_is_name(version) for version in versions.values()), "no versions")
        result = _check_result(_json(columns["result"], "result"), recipe)
        for split, step, epoch, seconds, loss, accuracy in record.points:
            good = (
                split in ("train", "test", recipe.evaluated_on)
                and is_whole(step, 1, columns["steps"])
                and is_whole(epoch, 1, recipe.epochs)
            )
            good = good and is_number(seconds, 0) and is_number(loss, 0, FINITE) and is_share(accuracy)
            _need(good, "an invalid point in its curves")
        self._check_artifacts(record.artifacts, recipe, record.rounded, result.kept_epoch or recipe.epochs)

    def _check_artifacts(self, artifacts: dict[str, Any], recipe: Recipe, rounded: int, kept_epoch: int) -> None:
        epochs = range(1, recipe.epochs + 1)
        tested, held_out = ([predictions_name(split, epoch) for epoch in epochs] for split in ("test", "validation"))
        known = {"weights", "logits", checksums.NAME, *tested}
        known |= {HELD_OUT_LOGITS, HELD_OUT_LABELS, *held_out} if recipe.validation else set()
        for name, data in artifacts.items():
            _need(name in known, "an artifact that this program does not know")
            _need(isinstance(data, bytes), f"{name} that can't be read")
        _need("weights" in artifacts and "logits" in artifacts, "no weights, or no answers")
        _need(rounded or tested[-1] in artifacts, "no predicted classes")
        count = _check_answers(artifacts, "logits", tested, tested[-1])
        _need(count == (self._test_images(recipe.dataset) or count), "not one answer for each test image")
        if recipe.validation:
            _need(
                {HELD_OUT_LOGITS, HELD_OUT_LABELS, *held_out} <= artifacts.keys(), "no answers to its held-out images"
            )
            count = _check_answers(artifacts, HELD_OUT_LOGITS, held_out, held_out[kept_epoch - 1])
            _need(count == recipe.validation, "not one answer for each held-out image")
            _check_classes(artifacts, HELD_OUT_LABELS, count)
        self._check_weights(artifacts["weights"], recipe)

    def _check_weights(self, weights: bytes, recipe: Recipe) -> None:
        try:
            if recipe.model not in self._models:
                self._models[recipe.model] = inference.build(recipe.model, 0, torch.device("cpu"))
            tensors = safetensors.torch.load(weights)
            self._models[recipe.model].load_state_dict(tensors)
        except Exception:  # Also from the code of a user's model.
            raise _InvalidRun(f"weights that do not fit {ARCHITECTURES[recipe.model].name}") from None
        _need(all(tensor.isfinite().all() for tensor in tensors.values()), "weights that are not all finite numbers")

    def _test_images(self, dataset: str) -> int | None:
        """How many there are; None where the data are not at hand."""
        if dataset not in self._images:
            try:
                self._images[dataset] = len(self._load(dataset).test_labels)
            except DataError:
                self._images[dataset] = None
        return self._images[dataset]

    def _check_seal(self, id: int) -> None:
        kept = checksums.read(self._db, id)
        if kept is None:  # It ended before there were seals.
            return
        now = checksums.sums(checksums.contents(self._db, id))
        changed = [name for name in now if kept.get(name) != now[name]]
        _need(not changed, f"not what it had when it ended ({', '.join(changed[:3])})")
        _need(kept.keys() <= now.keys(), "less than it had when it ended")


# --- What a value may be ---


def _need(good: object, otherwise: str) -> None:
    if not good:
        raise _InvalidRun(otherwise)


def _text(value: Any) -> str:
    """The value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def _is_name(value: Any) -> bool:
    """A line of text that can be shown."""
    return 0 < len(_text(value)) <= MAX_TEXT and value.isprintable()


def _json(text: Any, what: str) -> dict[str, Any]:
    """An object with short names."""
    try:
        _need(0 < len(_text(text)) <= MAX_JSON, f"no {what}")
        found = json.loads(text, parse_constant=lambda name: _need(False, f"{what} with {name}"))
    except (ValueError, RecursionError):
        raise _InvalidRun(f"no {what}") from None
    _need(isinstance(found, dict) and all(len(name) <= MAX_TEXT for name in found), f"no {what}")
    return found


def _is_unknown(text: Any) -> bool:
    recipe = _json(text, "recipe")
    names = recipe.get("model"), recipe.get("dataset", "")
    _need(all(isinstance(name, str) for name in names), "an invalid recipe")
    return names[0] not in ARCHITECTURES or ("dataset" in recipe and names[1] not in DATASETS)


def _recipe(text: str) -> Recipe:
    """A recipe, written as we write it: SQLite reads it, too."""
    found = _json(text, "recipe")
    try:
        recipe = Recipe(**found)
        same = json.dumps({name: getattr(recipe, name) for name in found}, sort_keys=True) == text
        same = same and {*found} & {*LATER} == {*recipe.later()}
    except (TypeError, ValueError, OverflowError):
        same = False
    flags = {name for name, value in found.items() if isinstance(value, bool)}
    _need(same and flags <= {"mirror"}, "an invalid recipe")
    return recipe


def _check_result(fields: dict[str, Any], recipe: Recipe) -> Result:
    taken = {*checksums.COLUMNS, "weights", "logits", "checkpoint", checksums.NAME}
    _need(all(re.fullmatch(r"[a-z_]+", name) and name not in taken for name in fields), "no result")
    try:
        result = Result.from_fields(fields)
    except ValueError as error:
        raise _InvalidRun(str(error)) from None
    _need(is_share(result.test_accuracy) and is_number(result.test_loss, 0), "no test result")
    for name in TIMES:
        _need(name not in fields or is_number(fields[name], 0), f"no {name}")
    _need(is_whole(result.at_once, 1), "no number of runs at once")
    _need(all(is_whole(label, 0, metrics.CLASSES - 1) for label in result.never_predicted), "no never_predicted")
    measured = result.validation_loss is not None and result.validation_accuracy is not None
    _need(
        measured == bool(recipe.validation) and is_number(result.loss_to_choose_by, 0), "no result on held-out images"
    )
    kept = result.kept_epoch
    _need(is_whole(kept, 1, recipe.epochs) if recipe.keep == "best" else kept is None, "no epoch that was kept")
    return result


def _check_answers(artifacts: dict[str, Any], logits_name: str, predictions: Sequence[str], last: str) -> int:
    """Logits, and the predicted classes after epochs, of which the last ones are theirs; of how many images."""
    logits = _unpack(artifacts[logits_name], logits_name)
    count = len(logits) if logits.ndim == 2 else 0
    good = logits.dtype == np.float16 and logits.shape == (count, metrics.CLASSES) and count
    _need(good and np.isfinite(logits).all(), f"invalid {logits_name}")
    for name in artifacts.keys() & {*predictions}:
        classes = _check_classes(artifacts, name, count)
        if name == last:  # Of several that are the largest when rounded, the weights decide.
            largest = logits[np.arange(count), classes] == logits.max(axis=1)
            _need(largest.all(), "predicted classes that are not those of its logits")
    return count


def _check_classes(artifacts: dict[str, Any], name: str, count: int) -> np.ndarray:
    """One class for each of so many images, uint8 (N,)."""
    classes = _unpack(artifacts[name], name)
    _need(classes.dtype == np.uint8 and classes.shape == (count,), f"invalid {name}")
    _need((classes < metrics.CLASSES).all(), f"invalid {name}")
    return classes


def _unpack(data: bytes, what: str) -> np.ndarray:
    """An array as `arrays.pack` packs it; never more than `MAX_BYTES`, whatever it unpacks to."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(data, MAX_BYTES)
        _need(unpacking.eof and not unpacking.unused_data, f"{what} that are too large, or cut off")
        array = read_exactly(content)
    except _InvalidRun:
        raise
    except Exception:  # What NumPy raises for a header in which somebody has written is not settled.
        raise _InvalidRun(f"{what} that can't be unpacked") from None
    _need(array.ndim and len(array) <= MAX_IMAGES, f"invalid {what}")
    return array
