"""All runs on the Train page: found, named, drawn, deleted and brought back."""

from __future__ import annotations

import json

import pytest
from helpers.making import ended_run, finished_run, queued_run, result, three_models
from helpers.ui import TRAIN, again, choose_rows, open_all_runs, says, shown, texts, visit
from streamlit.testing.v1 import AppTest

from fmnist.recipe import Recipe
from fmnist.store.label import MAX_NAME, Label
from fmnist.ui import run_table
from fmnist.words import escape

pytestmark = pytest.mark.usefixtures("bare_pages", "started")

HOSTILE = "**Bold** :red[r] <img src=x onerror=alert(1)> [a](b) $x$"


def rows(at: AppTest) -> list[dict]:
    """The rows of the table of all runs."""
    [table] = [table.value for table in at.dataframe if "note" in table.value]
    return table.to_dict("records")


def all_runs(**query: str) -> AppTest:
    return visit(TRAIN, runs="true", **query)


def drawn(at: AppTest) -> dict[str, list[str]]:
    """The runs whose curves are drawn below the table, by the data set."""
    return {
        part.proto.id.rpartition("chosen-")[2]: [run["id"] for run in json.loads(part.proto.json)["runs"]]
        for part in at.get("bidi_component")
        if "chosen-" in part.proto.id
    }


def press(at: AppTest, label: str, key: str | None = None) -> AppTest:
    next(button for button in at.button if button.label == label and key in (None, button.key)).click()
    return again(at)


def test_the_table_is_worked_out_once_it_is_opened(store, small_data):
    three_models(store, small_data)
    assert not [table for table in visit(TRAIN).dataframe if "note" in table.value]
    assert len(rows(all_runs())) == len(rows(open_all_runs(visit(TRAIN)))) == 3


def test_a_row_tells_what_a_run_is(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    finished_run(store, Recipe("2", 3, learning_rate=0.01, optimizer="adam"), small_data, accuracy=0.9)
    queued_run(store, Recipe("1"), small_data)
    store.set_label(2, Label("Best", "so far"))
    queued, adam, published = rows(all_runs())
    assert (adam["run"], adam["name"], adam["note"], adam["model"]) == (2, "Best", "so far", "Model 2")
    assert (adam["recipe"], adam["seed"], adam["status"]) == ("Adam, lr 0.01", 3, "done")
    assert adam["accuracy"] == pytest.approx(90, abs=2) and adam["seconds"] == 2 and adam["started"].startswith("20")
    assert published["recipe"] == "Published" and published["name"] == ""
    assert (queued["status"], queued["started"]) == ("queued", "")


def test_runs_are_searched_and_filtered(store, small_data):
    three_models(store, small_data)
    ended_run(store, Recipe("0", 5), small_data, "failed", "It is over.")
    store.set_label(3, Label("Best"))
    assert [row["run"] for row in rows(all_runs(find="best"))] == [3]
    at = all_runs()
    at.selectbox(key="find-model").set_value("0")
    assert [row["run"] for row in rows(open_all_runs(at))] == [4, 1]
    at.selectbox(key="find-status").set_value("failed")
    assert [row["run"] for row in rows(open_all_runs(at))] == [4] and says(at, "1 of 4 runs")
    at.selectbox(key="find-model").set_value("2")
    assert says(open_all_runs(at), "0 of 4 runs")


def test_many_runs_stand_on_several_pages(store, small_data, monkeypatch):
    monkeypatch.setattr(run_table, "ROWS", 2)
    for seed in range(5):
        finished_run(store, Recipe("0", seed), small_data)
    at = all_runs()
    assert [row["run"] for row in rows(at)] == [5, 4]
    at.session_state["page-of-3"] = 3
    assert [row["run"] for row in rows(open_all_runs(at))] == [1]


def test_the_curves_of_chosen_rows_are_drawn_and_no_more_than_can_be_told_apart(
    store, small_data, small_sample, monkeypatch
):
    monkeypatch.setattr(run_table, "MAX_CURVES", 2)
    for seed in range(3):
        finished_run(store, Recipe("0", seed, "sample"), small_sample)
    finished_run(store, Recipe("1"), small_data)
    at = choose_rows(visit(TRAIN), 0, 2)
    assert drawn(at) == {"fashion-mnist": ["4"], "sample": ["2"]}
    at = choose_rows(visit(TRAIN), 1, 2, 3)
    assert says(at, "The curves of the first 2 of 3 chosen runs.")
    assert drawn(at) == {"sample": ["3", "2"]}


def test_a_run_is_given_a_name_and_a_note(store, small_data):
    three_models(store, small_data)
    at = press(choose_rows(visit(TRAIN), 0), "Name and note")
    at.text_input(key="name-of-3").set_value(HOSTILE)
    at.text_input(key="note-of-3").set_value("  two \n lines ")
    next(button for button in at.button if button.label == "Name and note").click()  # Opens it again: a whole run.
    at = press(at, "Save", "save-label")
    assert store.label(3) == Label(HOSTILE, "two lines")
    assert rows(all_runs())[0]["name"] == HOSTILE
    at = press(choose_rows(visit(TRAIN), 0), "Name and note")
    assert at.text_input(key="name-of-3").value == HOSTILE and at.text_input(key="name-of-3").max_chars == MAX_NAME


FORM = """
from fmnist.store.label import Label
from fmnist.store.library import Library
from fmnist.store.store import Store, store_path
from fmnist.ui import run_label

library = Library(Store(store_path()), None)
run_label.write(library, library.own.run(1), Label("", "old"))
"""


def test_who_writes_a_note_leaves_the_name_that_somebody_else_gives_meanwhile(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    at = again(AppTest.from_string(FORM))  # Opened while the run had a note alone.
    store.set_label(1, Label("Best", "old"))
    at.text_input(key="note-of-1").set_value("new")
    press(at, "Save", "save-label")
    assert store.label(1) == Label("Best", "new")


def test_one_row_at_a_time_is_named(store, small_data):
    three_models(store, small_data)
    at = choose_rows(visit(TRAIN), 0, 1)
    assert next(button for button in at.button if button.label == "Name and note").disabled


def test_a_name_is_no_markdown_where_a_run_is_deleted(store, small_data):
    three_models(store, small_data)
    store.set_label(3, Label(HOSTILE))
    at = press(choose_rows(visit(TRAIN), 0), "Delete")
    [asked] = [text for text in texts(at, "markdown") if "Run 3" in text]
    assert escape(HOSTILE) in asked and HOSTILE not in asked
    assert any(f"“{HOSTILE}”" in text for text in shown(at, "markdown"))


def test_a_deletion_is_undone_from_the_page(store, small_data):
    three_models(store, small_data)
    store.set_label(3, Label("Best"))
    before = store.runs()
    store.delete(2, 3)
    for at in (visit(TRAIN), all_runs()):  # Whether the table is open or not.
        assert says(at, "2 runs were deleted at 20")
    at = press(at, "Undo")
    assert store.runs() == before and store.label(3) == Label("Best")
    assert not says(at, "were deleted")


def test_the_last_run_that_is_deleted_can_come_back(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    store.delete(1)
    at = visit(TRAIN)
    assert says(at, "Run 1 was deleted at") and not [part for part in at.expander if part.label == "All runs"]
    press(at, "Undo")
    assert store.count() == 1


def test_the_space_of_what_was_deleted_is_freed_on_request(store, small_data):
    three_models(store, small_data)
    store.delete(3)
    at = press(visit(TRAIN), "Free the space")
    assert store.last_deletion() is None and not says(at, "was deleted") and store.count() == 2


QUESTION = """
import streamlit as st

from fmnist.store.library import Library
from fmnist.store.store import Store, store_path
from fmnist.ui import run_deletion

library = Library(Store(store_path()), None)
run_deletion.confirm(library, st.session_state.setdefault("runs", library.own.runs()))
"""


@pytest.mark.parametrize("status", ["running", "done"])
def test_a_run_that_has_gone_on_since_the_question_is_not_deleted(status, store, small_data):
    id = ended_run(store, Recipe("0"), small_data, "interrupted")
    finished_run(store, Recipe("1"), small_data)
    at = again(AppTest.from_string(QUESTION))
    assert says(at, "interrupted")
    store.resume(id)  # Somebody else does.
    store.claim()
    if status == "done":
        store.finish(id, "done", result=result())
    press(at, "Delete", "really-delete")
    assert [run.id for run in store.runs()] == [id]
    assert says(at, f"training has gone on since this question: run {id}.")


@pytest.mark.parametrize("button", ["Undo", "Free the space"])
def test_a_click_is_for_the_deletion_that_the_visitor_sees(button, store, small_data):
    three_models(store, small_data)
    store.delete(3)
    at = visit(TRAIN)
    store.delete(2)  # Somebody else does, in the meantime.
    at = press(at, button)
    assert store.last_deletion().ids == (2,) and says(at, "Run 2 was deleted at")
    press(at, button)
    assert store.last_deletion() is None


def test_a_deletion_that_was_damaged_in_the_file_is_shown_and_its_space_freed(store, small_data):
    three_models(store, small_data)
    store.delete(3)
    with store._write() as db:
        db.execute("UPDATE deleted SET deleted = 'yesterday', row_of_it = '[]'")
    at = press(visit(TRAIN), "Undo")
    assert says(at, "Run 3 can't be restored")
    assert not says(press(visit(TRAIN), "Free the space"), "was deleted") and store.last_deletion() is None


def test_who_may_only_look_sees_names_and_curves_and_changes_nothing(store, small_data, monkeypatch):
    three_models(store, small_data)
    store.set_label(3, Label("Best", "a note"))
    store.delete(1)
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    at = choose_rows(visit(TRAIN), 0)
    assert rows(at)[0]["name"] == "Best" and rows(at)[0]["note"] == "a note"
    assert drawn(at) == {"fashion-mnist": ["3"]}
    assert not {"Delete", "Name and note", "Undo", "Free the space"} & {button.label for button in at.button}
    assert not says(at, "was deleted")
