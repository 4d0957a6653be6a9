"""Another store's runs taken in: as they are, once, and nothing of a file that is not what it should be."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.making import ended_run, finished_run, queued_run, running_run

from fmnist import __main__ as cli
from fmnist import settings
from fmnist.commands import import_runs as import_runs_module
from fmnist.commands.import_runs import Imported, ImportRefused, import_runs
from fmnist.commands.verification import verify
from fmnist.data.files import DataMissing
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.arrays import pack
from fmnist.store.label import Label
from fmnist.store.library import Library
from fmnist.store.store import REFERENCE, Store

FINISHED = [Recipe("0", 0, "sample", 1), Recipe("0", 1, "sample", 1), Recipe("2", 0, "sample", 1)]


@pytest.fixture
def theirs(tmp_path, small_data) -> Path:
    """A colleague's store: three finished runs, and three that are not."""
    store = Store(tmp_path / "theirs" / "fmnist.db")
    for recipe in FINISHED:
        finished_run(store, recipe, small_data, weights=True)
    ended_run(store, Recipe("0", 8, "sample"), small_data, "failed", "No luck.")
    running_run(store, Recipe("0", 9, "sample"), small_data)
    queued_run(store, Recipe("1", 9, "sample"), small_data)
    store.close()
    return store.path


@pytest.fixture
def library(store) -> Library:
    return Library(store, None)


@pytest.fixture
def take(library, small_data) -> Callable[[Path], Imported]:
    return lambda path: import_runs(library, path, lambda _: small_data)


def all_of(store: Store) -> list[dict]:
    return [store.contents(id)[0] for id in store.sealed_ids()]


def change(path: Path, statement: str, *values: object) -> None:
    """Write in somebody's file, past all checks; the run's seal is taken away, for it would tell."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("DELETE FROM artifacts WHERE name = 'seal'")
    db.execute(statement, values)
    db.commit()
    db.close()


# --- Taken in ---


def test_finished_runs_come_as_they_are_and_only_once(take, theirs, store, small_data):
    finished_run(store, FINISHED[0], small_data)  # One's own run by the same recipe is another run.
    before = theirs.read_bytes()
    first = take(theirs)
    assert (first.ids, first.doubles, first.unfinished, first.unknown) == ([2, 3, 4], 0, 3, 0)
    assert all_of(store)[1:] == all_of(Store(theirs))
    assert [run.recipe for run in store.runs("done")] == [FINISHED[0], *FINISHED]

    again = take(theirs)
    assert (again.ids, again.doubles) == ([], 3) and len(store.runs()) == 4
    assert is_one_sentence(again.text) and "3 already here" in again.text
    assert theirs.read_bytes() == before


def test_what_was_imported_is_not_what_was_trained_last(take, theirs, store, small_data):
    """Nor does it join what was: its runs were asked for elsewhere, and long before."""
    change(theirs, "UPDATE runs SET created = created - 100000")
    old = finished_run(store, Recipe("0", 7, "sample"), small_data)
    with store._write() as db:
        db.execute("UPDATE runs SET created = created - 1000")
    newest = finished_run(store, Recipe("0", 8, "sample"), small_data, alone=True)
    assert take(theirs).ids
    assert [run.id for run in store.newest_request()] == [newest.id]
    store.delete(old.id, newest.id)
    assert store.newest_request() == [] and store.count()


def test_names_and_notes_come_along_and_what_was_deleted_does_not(take, theirs, store):
    with closing(Store(theirs)) as other:
        other.set_label(1, Label("Anna's best", "from the *talk*"))
        other.delete(2)
    assert len(take(theirs).ids) == 2
    assert list(store.labels().values()) == [Label("Anna's best", "from the *talk*")]
    store.set_label(1, Label("My name for it"))
    assert take(theirs).doubles == 2 and list(store.labels().values()) == [Label("My name for it")]


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "n" * 10_000, b"bytes", "\u202ebackwards"])
def test_a_name_that_cannot_be_shown_stays_there(take, theirs, store, name):
    change(theirs, "INSERT INTO labels (run, name, note) VALUES (1, ?, '')", name)
    assert len(take(theirs).ids) == 3 and not any(store.labels().values())


def test_a_store_of_an_earlier_version_has_no_names(take, theirs, store):
    with closing(sqlite3.connect(theirs)) as db:
        db.executescript("DROP TABLE labels; DROP TABLE deleted; PRAGMA user_version = 3")
    assert len(take(theirs).ids) == 3 and store.labels() == {}


def test_a_run_goes_through_several_stores_and_comes_back_once(take, theirs, store, small_data, tmp_path):
    third = Store(tmp_path / "third.db")
    import_runs(Library(third, None), theirs, lambda _: small_data)
    take(theirs)
    assert take(third.path).doubles == 3 and len(store.runs()) == 3


def test_a_run_that_stands_twice_in_the_file_is_taken_once(take, theirs, store):
    db = sqlite3.connect(theirs)
    names = ", ".join((*checksums.COLUMNS, "result", "data_root", "priority"))
    db.execute(f"INSERT INTO runs ({names}) SELECT {names} FROM runs WHERE id = 1")
    for table, rest in (("history", "split, step, epoch, seconds, loss, accuracy"), ("artifacts", "name, data")):
        db.execute(f"INSERT INTO {table} (run, {rest}) SELECT 7, {rest} FROM {table} WHERE run = 1")
    db.commit()
    db.close()
    assert (len(take(theirs).ids), len(store.runs())) == (3, 3)


def test_verify_agrees_with_what_came_in(real_data, tmp_path):
    library = Library(Store(tmp_path / "own.db"), None)
    imported = import_runs(library, REFERENCE, lambda _: real_data)
    verdict = verify(library, "own", imported.ids[0], lambda _: real_data)
    assert verdict.agrees and verdict.sealed, verdict.text


def test_the_runs_that_come_with_the_project_are_not_doubled(store):
    def load(_):
        raise DataMissing("not there")

    assert import_runs(Library(store), REFERENCE, load).doubles == len(Store(REFERENCE, read_only=True).runs())
    assert store.runs() == []


def test_runs_of_unknown_models_are_left(take, theirs, store):
    recipe = json.dumps(json.loads(FINISHED[0].to_json()) | {"model": "theirs"}, sort_keys=True)
    change(theirs, "UPDATE runs SET recipe = ? WHERE id = 1", recipe)
    imported = take(theirs)
    assert (len(imported.ids), imported.unknown) == (2, 1) and "does not have" in imported.text


@pytest.mark.parametrize("by_link", [False, True])
def test_a_store_that_is_being_written_is_read_with_its_log(by_link, take, theirs, store, small_data, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(theirs)
    writer = Store(theirs)
    writer.request_stop([6])
    finished_run(writer, Recipe("1", 0, "sample", 1), small_data, weights=True)
    assert theirs.with_name("fmnist.db-wal").stat().st_size  # What is new is not in the file itself.
    assert len(take(link if by_link else theirs).ids) == 4
    writer.close()


def test_a_folder_that_cannot_be_written_is_enough(take, theirs, small_disk):
    (small_disk / "fmnist.db").write_bytes(theirs.read_bytes())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert len(take(small_disk / "fmnist.db").ids) == 3


# --- Refused ---


def refuse(take: Callable, path: Path, store: Store) -> str:
    with pytest.raises(ImportRefused) as refused:
        take(path)
    assert is_one_sentence(refused.value) and str(path) in str(refused.value)
    assert store.runs() == []
    return str(refused.value)


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)


FILES = {
    "is not a store": lambda path: path.write_bytes(b"no database" * 1000),
    "is damaged": _spoil,
    "There is no file": Path.unlink,
    "another program": lambda path: change(path, "PRAGMA application_id = 1"),
    "newer version": lambda path: change(path, "PRAGMA user_version = 99"),
    "does not have the tables": lambda path: change(path, "ALTER TABLE runs RENAME COLUMN machine TO engine"),
}


@pytest.mark.parametrize("words", FILES)
def test_a_file_that_is_no_store_is_refused(words, take, theirs, store):
    FILES[words](theirs)
    assert words in refuse(take, theirs, store)


def test_a_view_in_place_of_a_table_is_not_read(take, theirs, store):
    change(theirs, "ALTER TABLE history RENAME TO old")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    columns = "1 AS run, 'test' AS split, i AS step, 1 AS epoch, 1 AS seconds, 1 AS loss, 1 AS accuracy"
    change(theirs, f"CREATE VIEW history AS {endless} SELECT {columns} FROM n")
    assert "does not have the tables" in refuse(take, theirs, store)


def test_a_sealed_run_in_which_somebody_has_written_is_refused(take, theirs, store):
    db = sqlite3.connect(theirs)
    db.execute("UPDATE history SET loss = loss / 2 WHERE run = 2 AND split = 'train' AND step = 3")
    db.commit()
    db.close()
    assert "Run 2 " in (said := refuse(take, theirs, store)) and "train point at step 3" in said


def each(values: dict[str, list]) -> list:
    """A case for each value of each name."""
    cases = [(name, value, index) for name, some in values.items() for index, value in enumerate(some)]
    return [pytest.param(name, value, id=f"{name}-{index}") for name, value, index in cases]


DEEP = "[" * 50_000 + "]" * 50_000
COLUMNS = {
    "key": ["'; DROP TABLE runs", b"\0" * 32, 5],
    "recipe": ["{", "[]", DEEP, '{"model": "0", "model": "0"}', '{"epochs": true, "model": "0"}', '{"model": ["0"]}'],
    "result": ["null", "{}", DEEP, '{"key": 1}', "x" * 200_000],
    "versions": ["[]", '{"torch": 2}', '{"torch": "' + "9" * 500 + '"}'],
    "finished": ["now", 9e99, float("inf"), -1],
    "steps": [0, 2.5, "many", 2**60],
    "machine": ["", "x" * 500, "two\nlines", b"x"],
    "error": ["It went wrong."],
}


@pytest.mark.parametrize("column, value", each(COLUMNS))
def test_a_column_that_cannot_be_is_refused(column, value, take, theirs, store):
    change(theirs, f"UPDATE runs SET {column} = ? WHERE id = 2", value)
    assert "Run 2 of " in refuse(take, theirs, store)


RESULTS = {
    "test_accuracy": [1.5, "0.8", None, float("nan"), 10**400],
    "train_seconds": [-1, "fast", float("inf")],
    "dead": [0, "no"],
    "never_predicted": ["3", [10], [True]],
    "at_once": [0, 1.5],
}


@pytest.mark.parametrize("field, value", each(RESULTS))
def test_a_result_that_cannot_be_is_refused(field, value, take, theirs, store):
    result = json.loads(Store(theirs).run(2).result.to_json()) | {field: value}
    change(theirs, "UPDATE runs SET result = ? WHERE id = 2", json.dumps(result))
    assert "Run 2 of " in refuse(take, theirs, store)


POINTS = {"split": ["dev"], "step": [99], "loss": ["low"], "accuracy": [2], "epoch": [0]}


@pytest.mark.parametrize("column, value", each(POINTS))
def test_a_point_that_cannot_be_is_refused(column, value, take, theirs, store):
    change(theirs, f"UPDATE history SET {column} = ? WHERE run = 2 AND split = 'train' AND step = 3", value)
    assert "an invalid point" in refuse(take, theirs, store)


def _header(text: str) -> bytes:
    """A file of NumPy's with a header of somebody's own, and no content."""
    header = text.encode().ljust(118) + b"\n"
    return zlib.compress(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


ARTIFACTS = {
    "weights": [b"no safetensors", b"\xff" * 16, b"", b"\x80\x04K\x01.", "text"],
    "logits": [
        *(b"no zlib", zlib.compress(b"no array"), pack(np.zeros((100, 9), np.float16)), "text"),
        *(pack(np.zeros((7, 10), np.float16)), pack(np.full((100, 10), np.nan, np.float16)), pack(np.zeros(3))),
        _header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
        _header("{'descr': '<f2', 'fortran_order': False, 'shape': (100000000000, 10), }"),
        _header("(" * 60),
    ],
    "predictions/1": [
        pack(np.full(100, 10, np.uint8)),
        pack(np.zeros(99, np.uint8)),
        pack(np.zeros(100, np.uint8)),
        b"",
    ],
    "predictions/7": [b"what for?"],
    "startup.py": [b"print('hello')"],
}


@pytest.mark.parametrize("name, content", each(ARTIFACTS))
def test_an_artifact_that_cannot_be_is_refused(name, content, take, theirs, store):
    change(theirs, "INSERT OR REPLACE INTO artifacts (run, name, data) VALUES (2, ?, ?)", name, content)
    assert "Run 2 of " in refuse(take, theirs, store)


def test_what_unpacks_to_more_than_is_allowed_is_not_unpacked(take, theirs, store, monkeypatch):
    monkeypatch.setattr(import_runs_module, "MAX_BYTES", 2**20)
    change(theirs, "UPDATE artifacts SET data = ? WHERE run = 2 AND name = 'logits'", zlib.compress(bytes(2**21)))
    assert "too large" in refuse(take, theirs, store)


def test_weights_of_another_model_are_refused(take, theirs, store):
    other = Store(theirs).weights(3)
    change(theirs, "UPDATE artifacts SET data = ? WHERE run = 2 AND name = 'weights'", other)
    assert "weights that do not fit Model 0" in refuse(take, theirs, store)


def test_an_invalid_key_is_named_in_plain_words(take, theirs, store):
    change(theirs, "UPDATE runs SET key = 'x' WHERE id = 3")
    assert refuse(take, theirs, store) == f"Run 3 of {theirs} has an invalid key; nothing was imported."


def test_a_run_with_more_points_than_steps_is_refused_before_they_are_read(take, theirs, store):
    change(
        theirs,
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
        "INSERT INTO history SELECT 2, 'train', i, 1, 1, 1, 1 FROM n",
    )
    assert "more points in its curves than it has steps" in refuse(take, theirs, store)


def test_a_run_under_the_key_of_another_recipe_does_not_stand_in_for_it(take, theirs, store, small_data):
    asked = Recipe("0", 5, "sample", 1)
    key = asked.key(small_data.fingerprint)
    change(theirs, "UPDATE runs SET key = ? WHERE id = 1", key)
    take(theirs)
    assert [run.recipe.seed for run in store.runs() if run.key == key] == [0]
    assert store.done_keys([(asked, key)]) == set()
    [(id, needed)] = store.enqueue([(asked, key)], theirs.parent)
    assert needed and store.run(id).recipe == asked


# --- The command line ---


def test_the_command_line_says_what_came_in(theirs, store, small_sample, capsys):
    assert cli.main(["runs", "import", str(theirs), "--runs", str(store.path)]) == 0
    assert capsys.readouterr().out == "Imported 3 runs; 3 skipped as unfinished.\n"
    assert cli.main(["runs", "import", str(settings.PROJECT / "README.md"), "--runs", str(store.path)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("fmnist: ") and is_one_sentence(error)
