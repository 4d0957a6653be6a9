"""The Train page by AppTest: what is shown of a training, and what can be done about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import making
from helpers.making import ended_run, finished_run, queued_run, running_run, three_models
from helpers.ui import (
    NOT_FASHION,
    RESULT_PAGES,
    TRAIN,
    again,
    choose_rows,
    labels,
    live_curves,
    open_all_runs,
    open_results,
    says,
    texts,
    visit,
)
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from fmnist.data import examples
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.answers import Answers
from fmnist.store.database import DamagedStore
from fmnist.store.run import Point
from fmnist.store.store import Store
from fmnist.training import launcher
from fmnist.ui import train_progress

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def test_running_and_queued_runs_are_shown_with_progress(store, small_data, at_work):
    running_run(store, Recipe("0"), small_data)
    queued_run(store, Recipe("2"), small_data)
    at = visit(TRAIN)
    [progress] = at.get("progress")
    assert progress.proto.value == 33
    assert "epoch 2 of 3 · step 8 of 24 · 1,000 images/s · " in progress.proto.text
    assert says(at, "0 of 2 runs done · time left not known yet")  # Model 2 was never trained.
    assert says(at, "Queued: Model 2, seed 0")
    [drawn] = live_curves(at)["fashion-mnist"]["runs"][:1]
    assert drawn["name"] == "Model 0, seed 0"
    assert len(drawn["train"]["step"]) == making.STEPS_PER_EPOCH
    assert drawn["test"]["accuracy"] == [0.5]
    assert texts(at, "header") == ["Training now"]


def test_the_more_people_watch_a_training_the_more_seldom_each_of_them_looks(store, small_data, at_work):
    """So that it is hardly slower for them: bench/viewers.py."""
    train_progress._last_looks.clear()
    running_run(store, Recipe("0"), small_data)
    first = visit(TRAIN)
    assert first.session_state["pace"] == 0.5
    for _ in range(12):
        last = visit(TRAIN)
    assert last.session_state["pace"] == 1.5  # Ten looks a second in all, in steps of half a second.
    assert again(first).session_state["pace"] == 1.5


def test_the_time_that_is_left_of_all_runs_is_said(store, small_data, at_work):
    finished_run(store, Recipe("2", 1), small_data, seconds=60)
    ended_run(store, Recipe("1"), small_data, "cancelled")
    running_run(store, Recipe("0"), small_data)
    queued_run(store, Recipe("2"), small_data)
    [heading] = [text for text in texts(visit(TRAIN), "caption") if " runs done · " in text]
    # 60 s for 24 steps, of which are 5,625.
    assert re.fullmatch(r"1 of 4 runs done · 1 stopped · roughly [\d.]+ h left", heading)


def test_it_is_said_that_not_all_points_of_a_long_line_are_drawn(store, small_sample):
    run = finished_run(store, Recipe("0", 0, "sample"), small_sample)
    said = "Long lines are drawn with at most 1,000 points"
    for length, thinned in ((1000, False), (1001, True)):
        points = [Point("train", step, 1, float(step), 1.0, 0.5) for step in range(length)]
        store.record(run.id, points, images_per_second=None, artifacts={})
        at = visit(TRAIN)
        assert says(at, said) == thinned
        [drawn] = live_curves(at)["sample"]["runs"]
        assert (len(drawn["train"]["step"]) < length) == thinned


def strip(at: AppTest) -> dict[str, Any]:
    """What the strip of test images is told."""
    [told] = [part for part in at.get("bidi_component") if part.proto.component_name == "fmnist_answer_strip"]
    return json.loads(told.proto.json)


def test_a_strip_of_test_images_shows_what_the_first_run_of_each_model_answers(store, small_sample, at_work):
    watched = examples.watched(small_sample)
    done = finished_run(store, Recipe("0", 0, "sample"), small_sample)
    finished_run(store, Recipe("0", 1, "sample"), small_sample)
    running = running_run(store, Recipe("2", 0, "sample"), small_sample)
    for step, right in ((1, 3), (2, 12)):
        truth = [int(label) for label in small_sample.test_labels[watched]]
        classes = [label if place < right else (label + 1) % 10 for place, label in enumerate(truth)]
        told = Answers(step, tuple(watched), tuple(classes))
        store.record(running, [], images_per_second=None, artifacts={"answers": told.to_bytes()})
        at = visit(TRAIN)
        shown = strip(at)
        assert shown["images"] == watched and shown["labels"] == truth
        assert shown["picture"].startswith("data:image/png;base64,")
        first, second = shown["rows"]
        assert (first["name"], second["name"]) == ("Model 0", "Model 2")
        assert second["answers"] == classes
        assert second["said"] == f"at step {step}: {right} of 12 right"
    assert first["answers"] == store.predicted_classes(done)[watched].tolist()
    assert first["said"].startswith("at the end: ")


def test_the_strip_has_a_line_for_each_model_from_the_beginning(store, small_sample, at_work):
    running_run(store, Recipe("0", 0, "sample"), small_sample)
    queued_run(store, Recipe("0", 1, "sample"), small_sample)
    queued_run(store, Recipe("2", 0, "sample"), small_sample)
    rows = strip(visit(TRAIN))["rows"]
    assert [(row["name"], row["said"], row["answers"]) for row in rows] == [
        ("Model 0", "no answer yet", []),
        ("Model 2", "no answer yet", []),
    ]


@pytest.mark.parametrize("told", [b"[" * 100_000, b"\xff", "text"])
def test_answers_that_are_damaged_in_the_file_are_none_yet(told, store, small_sample, at_work):
    running = running_run(store, Recipe("0", 0, "sample"), small_sample)
    store.record(running, [], images_per_second=None, artifacts={"answers": told})
    [row] = strip(visit(TRAIN))["rows"]
    assert row["said"] == "no answer yet"


def test_a_part_of_the_file_that_can_not_be_read_leaves_the_rest_of_the_training(
    store, small_sample, at_work, monkeypatch
):
    running_run(store, Recipe("0", 0, "sample"), small_sample)

    def unreadable(*_: object) -> bytes:
        raise DamagedStore("The file is damaged.")

    monkeypatch.setattr(Store, "artifact", unreadable)
    at = visit(TRAIN)
    assert strip(at)["rows"][0]["said"] == "no answer yet" and not at.error


def test_what_an_earlier_version_has_stopped_has_no_strip(store, small_sample):
    ended_run(store, Recipe("0", 0, "sample"), small_sample, "cancelled")
    assert not [part for part in visit(TRAIN).get("bidi_component") if "answer_strip" in part.proto.component_name]


def test_the_weights_of_model_0_are_ten_pictures_of_a_stored_epoch(store, small_sample, at_work):
    id = running_run(store, Recipe("0", 0, "sample"), small_sample)
    at = visit(TRAIN)
    at.session_state["seen-sample"] = "Weights of Model 0"
    assert says(again(at), "The weights appear after the first epoch.")
    finished_run(store, Recipe("0", 1, "sample"), small_sample, weights=True)
    store.finish(id, "cancelled")
    store.delete(id)
    again(at)
    assert says(at, "Model 0, seed 1, after epoch 3 of 3.")
    [pictures] = [part.proto.body for part in at.get("html") if 'class="weights"' in part.proto.body]
    assert pictures.count('role="img"') == 10 and "Weights of Ankle boot: " in pictures


def test_a_training_without_model_0_has_no_weights_to_show(store, small_sample, at_work):
    running_run(store, Recipe("1", 0, "sample"), small_sample)
    assert not visit(TRAIN).tabs


def test_when_training_has_ended_it_is_said_what_came_out_and_where_to_look(store, small_sample):
    never = tuple(label for label in range(10) if label != 8)
    finished_run(store, Recipe("0", 0, "sample"), small_sample, never=(5,), seconds=7)
    finished_run(store, Recipe("1", 0, "sample"), small_sample, never=never)
    at = visit(TRAIN)
    assert texts(at, "header") == ["Last training"]
    assert says(at, "Sample data · SGD, learning rate 0.1, batches of 32, 3 epochs · the published recipe · ended 20")
    assert says(at, "**Model 0 · Linear**: **") and says(at, "right, trained in 7.00 s.")
    assert says(at, "**Model 1 · MLP with ReLU** failed to learn: it answers Bag for every image.")
    [inside, last] = [link.proto.label for link in at.get("page_link") if link.proto.icon == ":material/arrow_forward:"]
    assert inside.startswith("Model 0 never predicts Sandal") and "Sandal" not in last


def test_curves_of_sample_data_stand_by_themselves(store, small_data, at_work):
    running_run(store, Recipe("0"), small_data)
    assert not says(visit(TRAIN), NOT_FASHION)
    running_run(store, Recipe("1", dataset="sample"), small_data)
    at = visit(TRAIN)
    assert says(at, NOT_FASHION)
    drawn = {data: {run["name"] for run in curves["runs"]} for data, curves in live_curves(at).items()}
    assert drawn == {"fashion-mnist": {"Model 0, seed 0"}, "sample": {"Model 1, seed 0"}}


def test_curves_of_runs_that_hold_out_images_are_not_called_test_curves(store, small_sample):
    finished_run(store, Recipe("0", dataset="sample", validation=60), small_sample)
    assert live_curves(visit(TRAIN))["sample"]["alt"] == "Training and held-out curves of Model 0, seed 0."


def test_stop_reaches_the_store(store, small_data, at_work):
    running = running_run(store, Recipe("0"), small_data)
    queued = queued_run(store, Recipe("2"), small_data)
    at = visit(TRAIN)
    at.button(key="stop-queued").click()
    again(at)
    assert store.run(queued).status == "cancelled"
    assert not store.run(running).stop
    at.button(key=f"stop-{running}").click()
    again(at)
    assert store.run(running).stop
    assert at.button(key=f"stop-{running}").disabled
    assert at.button(key=f"stop-{running}").label == "Stopping …"


def test_stop_all_reaches_every_active_run(store, small_data, at_work):
    running = running_run(store, Recipe("0"), small_data)
    queued = [queued_run(store, Recipe(model), small_data) for model in "12"]
    at = visit(TRAIN)
    at.button(key="stop-all").click()
    again(at)
    assert store.run(running).stop
    assert [store.run(id).status for id in queued] == ["cancelled", "cancelled"]


def test_a_click_stops_those_that_the_visitor_sees(store, small_data, at_work):
    seen = queued_run(store, Recipe("0"), small_data)
    at = visit(TRAIN)
    assert store.claim().id == seen  # In the meantime it begins, and somebody else asks for others.
    others = [queued_run(store, Recipe(model), small_data) for model in "12"]
    at.button(key="stop-queued").click()
    again(at)
    assert store.run(seen).stop and [store.run(id).status for id in others] == ["queued"] * 2
    third = queued_run(store, Recipe("0", 1), small_data)
    at.button(key="stop-all").click()
    again(at)
    assert [store.run(id).status for id in (*others, third)] == ["cancelled", "cancelled", "queued"]


def test_a_click_resumes_those_that_the_visitor_sees(store, small_data, started):
    for model in "01":
        ended_run(store, Recipe(model), small_data, "interrupted")
    at = visit(TRAIN)
    assert at.button(key="resume-all").label == "Resume all 2"
    ended_run(store, Recipe("2"), small_data, "cancelled")  # Somebody else stops this one.
    at.button(key="resume-all").click()
    again(at)
    assert [run.id for run in store.runs("queued")] == [1, 2] and set(started) == {store.path}


def test_a_run_that_is_resumed_finds_its_data_where_they_are_now(store, small_data, started, fashion):
    moved = ended_run(store, Recipe("0"), small_data, "cancelled")  # They are no longer where it was queued.
    stays = ended_run(store, Recipe("1"), small_data, "cancelled")
    with store._write() as db:
        db.execute("UPDATE runs SET data_root = ? WHERE id = ?", (f"{store.data_root()}/./", stays))
    at = visit(TRAIN)
    at.button(key="resume-all").click()
    again(at)
    assert store.run(moved).data_root == str(store.data_root())
    assert store.run(stays).data_root == f"{store.data_root()}/./"


@pytest.fixture
def sweep(store: Store, small_data: Dataset, at_work: None) -> list[int]:
    """Of a sweep of 1,000 runs 20 are done, 2 have failed, 2 are running; the ids of the others."""
    recipes = [Recipe("0", seed, learning_rate=rate / 1000) for rate in range(1, 51) for seed in range(20)]
    for recipe in recipes[:20]:
        finished_run(store, recipe, small_data)
    for recipe in recipes[20:22]:
        ended_run(store, recipe, small_data, "failed", "The loss is not a finite number any more.")
    for recipe in recipes[22:24]:
        running_run(store, recipe, small_data)
    queued = store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes[24:]], Path("/"))
    with store._write() as db:  # As if all of it had been asked for by one click, however slow this machine is.
        db.execute("UPDATE runs SET created = 1.0")
    return [id for id, _ in queued]


def test_of_a_large_sweep_only_a_part_is_drawn_and_the_whole_is_said(store, small_data, sweep, fashion):
    at = visit(TRAIN)
    whole, *single = at.get("progress")
    assert whole.proto.text.startswith("**22 of 1,000 runs** · 20 done · 2 running · 976 queued · 2 failed · roughly ")
    assert whole.proto.value == 2
    assert [bar.proto.text.partition(" · ")[0] for bar in single] == [
        f"**Model 0, lr 0.002, seed {seed}**" for seed in (2, 3)
    ]
    assert says(at, "Queued: Model 0, lr 0.002, seed 4, ") and says(at, " and 968 more")
    drawn = live_curves(at)["fashion-mnist"]["runs"]
    assert len(drawn) == 12
    assert {run["name"] for run in drawn[-2:]} == {f"Model 0, lr 0.002, seed {seed}" for seed in (2, 3)}
    assert {run["group"] for run in drawn} == {"Model 0, lr 0.001", "Model 0, lr 0.002"}
    assert len(open_results(at, "fashion-mnist")) == 20


def test_all_of_a_large_sweep_is_stopped_and_resumed_at_once(store, sweep, fashion, started):
    at = visit(TRAIN)
    at.button(key="stop-all").click()
    again(at)
    assert len(store.runs("cancelled")) == len(sweep) and all(run.stop for run in store.runs("running"))
    assert says(at, "And 970 more that were stopped or failed.")
    assert [button.key for button in at.button if button.key and button.key.startswith("resume-")][-1] == "resume-all"
    at.button(key="resume-all").click()
    again(at)
    assert [run.id for run in store.runs("queued")] == sweep and set(started) == {store.path}


def test_what_a_dead_trainer_left_is_interrupted_and_can_be_resumed(store, small_data, started):
    id = running_run(store, Recipe("0"), small_data)  # Nobody holds the trainer's lock.
    at = visit(TRAIN)
    at = again(at)
    assert says(at, "**Model 0, seed 0** · interrupted at step 8 of 24")
    at.button(key=f"resume-{id}").click()
    again(at)
    assert store.run(id).status == "queued"
    assert set(started) == {store.path}


def test_ended_runs_say_how_and_why(store, small_data, started):
    interrupted = ended_run(store, Recipe("0"), small_data, "interrupted", "The disk is full: *all* of it.")
    cancelled = ended_run(store, Recipe("1"), small_data, "cancelled")
    failed = ended_run(store, Recipe("2"), small_data, "failed", "The loss is not a finite number any more.")
    at = visit(TRAIN)
    assert says(at, r"interrupted at step 8 of 24 · The disk is full\: \*all\* of it.")
    assert says(at, "**Model 1, seed 0** · stopped at step 8 of 24")
    assert says(at, "failed at step 8 of 24 · The loss is not a finite number any more.")
    keys = {button.key for button in at.button}
    assert {f"resume-{interrupted}", f"resume-{cancelled}"} <= keys
    assert f"resume-{failed}" not in keys


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_unfinished_runs_are_no_results(page, store, small_data, at_work):
    for status in ("interrupted", "cancelled", "failed"):
        ended_run(store, Recipe("0"), small_data, status)
    running_run(store, Recipe("1"), small_data)
    queued_run(store, Recipe("2"), small_data)
    assert says(visit(page), "Nothing has been trained")


def test_queued_runs_without_a_trainer_can_be_given_one(store, small_data, started):
    queued_run(store, Recipe("0"), small_data)
    launcher.log_path(store.path).write_text("one line\nPyTorch can't be loaded.\n")
    at = visit(TRAIN)
    assert says(at, "The scheduler is starting. PyTorch can't be loaded.")
    at.button(key="start-trainer").click()
    again(at)
    assert set(started) == {store.path}


def test_deleting_asks_first_and_then_deletes(store, small_data):
    runs = three_models(store, small_data)
    at = open_all_runs(visit(TRAIN))
    assert delete_button(at).disabled
    at = ask_to_delete(at, 0)  # The newest stands first.
    assert says(at, "Delete this run with all curves and weights?")
    assert says(at, "Model 2, seed 0, FashionMNIST, SGD, lr 0.1, batch 32, 3 epochs, 90.00%, 20")
    assert len(store.runs()) == 3 and "Cancel" in labels(at)
    agree_to_delete(at)
    assert [run.id for run in store.runs()] == [run.id for run in runs[:2]]


def test_what_is_being_trained_is_not_deleted(store, small_data, at_work):
    id = running_run(store, Recipe("0"), small_data)
    at = agree_to_delete(ask_to_delete(visit(TRAIN), 0))
    assert says(at, "can't be deleted during training")
    assert store.run(id).status == "running"


def test_a_choice_of_rows_is_dropped_when_other_runs_stand_there(store, small_data):
    three_models(store, small_data)
    at = choose_rows(visit(TRAIN), 0)
    assert not delete_button(at).disabled
    finished_run(store, Recipe("0", 9), small_data)  # From elsewhere: it takes the place of the first row.
    delete_button(at).click()
    again(at)
    assert delete_button(at).disabled and not says(at, "with all curves and weights?")
    at = agree_to_delete(ask_to_delete(at, 1))
    assert [run.id for run in store.runs()] == [1, 2, 4]
    again(at)
    assert delete_button(at).disabled  # The next row is not chosen now.


def delete_button(at: AppTest) -> Button:
    return next(button for button in at.button if button.label == "Delete" and button.key is None)


def ask_to_delete(at: AppTest, *rows: int) -> AppTest:
    choose_rows(at, *rows)
    delete_button(at).click()
    return again(at)


def agree_to_delete(at: AppTest) -> AppTest:
    delete_button(at).click()  # AppTest always runs the whole page, which has to open the dialog again.
    at.button(key="really-delete").click()
    return again(at)
