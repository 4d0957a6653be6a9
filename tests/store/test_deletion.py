"""Deleted runs: nobody sees them, until somebody brings them back or their space is freed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from helpers.making import ended_run, finished_run, queued_run, three_models

from fmnist import settings
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.label import Label
from fmnist.store.library import Library
from fmnist.store.search import Wanted
from fmnist.store.store import Store, StoreError

TABLES = ("runs", "history", "artifacts", "labels", "askers", "settings")
ANNA = settings.Asker("anna", 10)


def everything(store: Store) -> dict[str, list[tuple]]:
    """All that stands in a store's file, but for what was deleted."""
    with closing(sqlite3.connect(store.path)) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in TABLES if name in tables}


def filled(store: Store, data: Dataset) -> None:
    """A run of each model, the second of them with a name and asked for by somebody, and one that was interrupted."""
    three_models(store, data)
    store.set_label(2, Label("The best", "with a *note*"))
    with store._write() as db:
        store._charge_to(db, ANNA, [2])
    ended_run(store, Recipe("0", 7), data, "interrupted")


def test_undoing_a_deletion_brings_everything_back(store, small_data):
    filled(store, small_data)
    before = everything(store)
    assert store.delete(2, 4) == [2, 4] and store.last_deletion().ids == (2, 4)
    assert [run.id for run in store.runs()] == [1, 3]
    assert store.undo_deletion() == [2, 4]
    assert everything(store) == before
    assert store.last_deletion() is None and store.undo_deletion() == []


def test_nobody_sees_a_deleted_run(store, small_data):
    filled(store, small_data)
    library = Library(store, None)
    assert len(library.finished()) == 3
    store.delete(2, 4)
    assert library.finished()["model"].tolist() == ["0", "2"]
    assert store.count() == 2 and sorted(store.statuses()) == [1, 3] and library.search.find(Wanted()) == [3, 1]
    assert store.sealed_ids() == [1, 3] and store.run(2) is None and store.by_ids([2, 4]) == []
    assert store.labels() == {} and store.contents(2)[0] == {}
    assert store.history([2]).empty and not len(store.curve(2, "test")) and store.artifact(2, "weights") is None
    with pytest.raises(StoreError, match="Run 2 has no logits"):
        store.logits(2)
    assert not store.resume(4) and store.newest_request([2]) == store.newest_request()
    assert not store.set_label(2, Label("gone"))
    assert store.delete(2) == [] and store.last_deletion().ids == (2, 4)


def test_a_deleted_recipe_is_trained_anew_and_both_stand_there_after_undo(store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    keyed = [(run.recipe, run.key)]
    store.delete(run.id)
    assert store.done_keys(keyed) == set()
    [(id, needed)] = store.enqueue(keyed, Path("/"))
    assert id != run.id and needed
    store.undo_deletion()
    assert [(found.id, found.status) for found in store.runs()] == [(run.id, "done"), (id, "queued")]
    assert store.enqueue(keyed, Path("/")) == [(id, True)]


def test_the_next_deletion_frees_the_space_of_the_one_before(store, small_data):
    filled(store, small_data)
    store.delete(2)
    store.delete(3)
    with closing(sqlite3.connect(store.path)) as db:
        for table in ("history", "artifacts", "labels", "askers"):
            assert db.execute(f"SELECT count(*) FROM {table} WHERE run = 2").fetchone() == (0,), table
        assert db.execute("SELECT count(*) FROM artifacts WHERE run = 3").fetchone() > (0,)
    assert store.undo_deletion() == [3]
    assert [run.id for run in store.runs()] == [1, 3, 4]


def test_what_is_queued_is_not_deleted_and_leaves_the_last_deletion_as_it_is(store, small_data):
    filled(store, small_data)
    queued = queued_run(store, Recipe("0", 9), small_data)
    store.delete(1)
    assert store.delete(queued) == [] and store.last_deletion().ids == (1,)


def test_deleting_for_good_leaves_nothing(store, small_data):
    filled(store, small_data)
    assert store.delete(1, 2, 3, 4, for_good=True) == [1, 2, 3, 4]
    assert store.last_deletion() is None
    assert {name for name, rows in everything(store).items() if rows} <= {"settings"}


def test_a_deletion_becomes_final_after_its_time(store, small_data):
    filled(store, small_data)
    store.delete(1)
    store.make_deletion_final(older_than=3600)
    assert store.last_deletion().ids == (1,)
    with store._write() as db:
        db.execute("UPDATE deleted SET deleted = deleted - 3601")
    store.make_deletion_final(older_than=3600)
    assert store.last_deletion() is None and store.artifact(1, "weights") is None


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_is_killed_while_it_deletes_loses_nothing(when, store, small_data):
    filled(store, small_data)
    before = everything(store)
    end = "os.kill(os.getpid(), signal.SIGKILL)"
    program = f"""
import os, signal
from pathlib import Path
from fmnist.store.store import Store
store = Store(Path({str(store.path)!r}))
if {when!r} == "before":  # All is done, but for what makes it last.
    store._db.set_trace_callback(lambda text: {end} if text == "COMMIT" else None)
store.delete(1, 2)
{end}
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=settings.PROJECT, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    with closing(Store(store.path)) as again:
        assert len(again.runs()) == (4 if when == "before" else 2)
        again.undo_deletion()
        assert everything(again) == before


def test_a_run_of_a_store_that_is_upgraded_in_between_comes_back(store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    store.delete(run.id)
    with store._write() as db:
        db.execute("ALTER TABLE runs ADD COLUMN of_a_later_version INTEGER NOT NULL DEFAULT 5")
    store.undo_deletion()
    assert store.run(run.id) == run


@pytest.mark.parametrize("kept", ["{", "{}", "[]", '{"id": []}', '{"key": {}}', '{"key": null}', b"\xff"])
def test_what_was_kept_of_a_deleted_run_and_is_damaged_is_said(kept, store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    store.delete(run.id)
    with store._write() as db:
        db.execute("UPDATE deleted SET row_of_it = ?", (kept,))
    with pytest.raises(StoreError, match="Run 1 can't be restored"):
        store.undo_deletion()
    store.make_deletion_final()
    assert store.last_deletion() is None


def test_what_is_damaged_of_a_deletion_keeps_none_of_the_others_from_coming_back(store, small_data):
    filled(store, small_data)
    before = store.runs()
    store.delete(1, 2, 4)
    with store._write() as db:
        db.execute("UPDATE deleted SET row_of_it = '{' WHERE run = 2")
    with pytest.raises(StoreError, match=r"^Run 2 can't be restored: .* damaged\. Restored: 1, 4\.$"):
        store.undo_deletion()
    assert store.runs() == [run for run in before if run.id != 2]
    assert store.last_deletion().ids == (2,)


@pytest.mark.parametrize("when", ["yesterday", b"", "", float("inf"), -1])
def test_a_time_of_deletion_that_is_none_counts_as_long_ago(when, store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    store.delete(run.id)
    with store._write() as db:
        db.execute("UPDATE deleted SET deleted = ?", (when,))
    assert store.last_deletion().when == 0
    store.make_deletion_final(older_than=3600)
    assert store.last_deletion() is None


def test_a_run_whose_row_can_not_be_kept_as_text_is_deleted_for_good(store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    with store._write() as db:
        db.execute("UPDATE runs SET priority = ?", (b"\xff",))
    assert store.delete(run.id) == [run.id]
    assert store.last_deletion() is None and store.artifact(run.id, "logits") is None


def test_what_lies_in_a_damaged_part_of_the_file_hinders_no_other_deletion(store, small_data, monkeypatch):
    three_models(store, small_data)
    store.delete(1)
    corrupt = sqlite3.DatabaseError("database disk image is malformed")
    corrupt.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def refuse(db: sqlite3.Connection, ids: list[int]) -> None:
        if 1 in ids:
            raise corrupt

    monkeypatch.setattr("fmnist.store.deletion._remove_what_hangs_on", refuse)
    assert store.delete(2) == [2]
    assert store.last_deletion().ids == (2,)
    store.make_deletion_final()
    assert store.last_deletion() is None and [run.id for run in store.runs()] == [3]
