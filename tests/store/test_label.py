"""Names and notes of runs, and what is found by them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from helpers.answers import is_one_sentence
from helpers.making import ended_run, finished_run, three_models

from fmnist.recipe import Recipe
from fmnist.store.label import MAX_NAME, MAX_NOTE, Label, LabelError
from fmnist.store.library import Library
from fmnist.store.search import Wanted
from fmnist.store.store import Store


def test_a_name_and_a_note_are_kept_changed_and_taken_away(store, small_data):
    run = finished_run(store, Recipe("0"), small_data)
    assert store.set_label(run.id, Label("First", "Too good to be true?"))
    assert store.label(run.id) == Label("First", "Too good to be true?")
    store.set_label(run.id, Label("", "A note alone"))
    assert store.labels() == {run.id: Label("", "A note alone")}
    store.set_label(run.id, Label())
    assert store.labels() == {} and store.label(run.id) == Label()
    assert not store.set_label(99, Label("nobody"))
    assert store.run(run.id) == run, "a finished run never changes"


@pytest.mark.parametrize(
    "written, kept",
    [
        (Label("A", "new"), Label("B", "new")),  # The note was changed, and the name left as it was.
        (Label("C", "old"), Label("C", "theirs")),
        (Label("", "old"), Label("", "theirs")),
        (Label("A", "old"), Label("B", "theirs")),
    ],
)
def test_what_somebody_left_as_it_was_stays_as_others_have_written_it(written, kept, store, small_data):
    finished_run(store, Recipe("0"), small_data)
    store.set_label(1, Label("B", "theirs"))
    assert store.set_label(1, written, before=Label("A", "old"))
    assert store.label(1) == kept


def test_they_are_a_line_each_without_what_cannot_be_seen(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    store.set_label(1, Label(" two\n lines\x00\t", "\x1b[31mred\x1b[0m \u202ebackwards"))
    assert store.label(1) == Label("two lines", "red backwards")


@pytest.mark.parametrize("label", [Label("n" * (MAX_NAME + 1)), Label(note="n" * (MAX_NOTE + 1))])
def test_one_that_is_too_long_is_refused(store, small_data, label):
    finished_run(store, Recipe("0"), small_data)
    with pytest.raises(LabelError, match="at most") as refused:
        store.set_label(1, label)
    assert is_one_sentence(refused.value) and store.labels() == {}


@pytest.mark.parametrize(
    "name, read",
    [(b"\xff", Label()), ("two\nlines", Label()), ("n" * 1000, Label()), (5, Label("5"))],  # SQLite makes text of 5.
)
def test_one_that_was_written_into_the_file_counts_as_empty_unless_it_could_be_a_name(store, small_data, name, read):
    finished_run(store, Recipe("0"), small_data)
    with closing(sqlite3.connect(store.path)) as db, db:
        db.execute("INSERT INTO labels (run, name, note) VALUES (1, ?, '')", (name,))
    assert store.label(1) == read


def test_a_store_of_an_earlier_version_that_is_only_read_has_none(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    store.close()
    with closing(sqlite3.connect(store.path)) as db:
        db.executescript("DROP TABLE labels; DROP TABLE deleted; PRAGMA user_version = 3; PRAGMA journal_mode = DELETE")
    with closing(Store(store.path, read_only=True)) as reader:
        assert reader.labels() == {} and len(reader.runs()) == 1
        assert Library(reader, None).search.find(Wanted("model 0")) == [1]


@pytest.fixture
def several(store, small_data) -> Library:
    three_models(store, small_data)  # 1, 2, 3
    finished_run(store, Recipe("2", 1, "sample", learning_rate=0.01, optimizer="adam"), small_data)
    ended_run(store, Recipe("0", 12), small_data, "failed")
    store.set_label(1, Label("Baseline", "for the talk"))
    store.set_label(5, Label("Odd one"))
    return Library(store, None)


@pytest.mark.parametrize(
    "wanted, ids",
    [
        (Wanted(), [5, 4, 3, 2, 1]),
        (Wanted("  "), [5, 4, 3, 2, 1]),
        (Wanted("BASEline"), [1]),
        (Wanted("the  talk"), [1]),
        (Wanted("adam"), [4]),
        (Wanted("lr 0.01"), [4]),
        (Wanted("tinyvgg"), [4, 3]),
        (Wanted("seed 1"), [5, 4]),
        (Wanted("run 3"), [3]),
        (Wanted("adam tinyvgg"), [4]),
        (Wanted("nothing like it"), []),
        (Wanted(models=["0"]), [5, 1]),
        (Wanted(datasets=["sample"]), [4]),
        (Wanted(statuses=["failed"]), [5]),
        (Wanted("odd", models=["2"]), []),
        (Wanted("talk", ["0"], ["fashion-mnist"], ["done"]), [1]),
    ],
)
def test_runs_are_found(several, wanted, ids):
    assert several.search.find(wanted) == ids
    assert [run.id for run in several.search.runs(ids)] == ids


def test_what_was_named_or_trained_since_is_found_too(several, small_data):
    assert several.search.find(Wanted("new")) == []
    finished_run(several.own, Recipe("1", 3), small_data)
    several.own.set_label(6, Label("New"))
    assert several.search.find(Wanted("new")) == [6]
    several.own.set_label(6, Label("Newer"))
    several.own.delete(6)
    assert several.search.find(Wanted("new")) == []
    several.own.undo_deletion()
    assert several.search.find(Wanted("newer")) == [6]
