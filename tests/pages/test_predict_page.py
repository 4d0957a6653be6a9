"""The Predict page by AppTest: images, pictures, drawings, and the answers to them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, three_models
from helpers.ui import DATA, EVERY_MODEL, PREDICT, again, answers, bars, says, texts, visit
from scipy.special import softmax
from streamlit.testing.v1 import AppTest

from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import conversion, examples
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.ui import predict_answers

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def test_every_model_answers_for_a_test_image(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="7")
    assert at.number_input(key="index").value == 7
    assert says(at, f"The label is **{CLOTHES.classes[small_data.test_labels[7]]}**.")
    assert {*answers(at)} == EVERY_MODEL
    assert says(at, "2 runs agree") and says(at, " ms for 2 runs")
    at.button(key="surprise").click()
    again(at)
    assert 0 <= at.number_input(key="index").value < 100


def test_the_bars_of_a_model_are_its_probabilities_in_its_colour(store, small_data, fashion):
    runs = [*three_models(store, small_data, weights=True), *three_models(store, small_data, weights=True, seed=1)]
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    groups = library.groups("fashion-mnist")
    from fmnist.predict import prediction

    for group, table in zip(groups, bars(at), strict=True):
        mean = prediction.probabilities(library, group, small_data.test_images[[3]]).mean(axis=0)[0]
        assert ARCHITECTURES[group.recipe.model].color in table
        assert re.findall(r"<td>(\d+%)</td>", table) == [f"{value:.0%}" for value in mean]
        assert re.findall(r"<b style=\"width: ([\d.]+%)", table) == [f"{value:.1%}" for value in mean]
        assert table.count('class="top"') == 1
    assert len(runs) == 6 and len(groups) == 3


def test_the_accuracy_and_calibration_beside_an_answer_are_those_of_what_answers(store, small_data, fashion):
    runs = [
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy, weights=True)
        for seed, accuracy in enumerate((0.4, 0.42, 0.8))
    ]
    at = visit(PREDICT, how="Test image", index="3")
    shares = np.mean([softmax(store.logits(run.id).astype(float), axis=1) for run in runs], axis=0)
    right, sure = np.mean(shares.argmax(axis=1) == small_data.test_labels), shares.max(axis=1).mean()
    assert right not in {run.finished_result.test_accuracy for run in runs[1:]} | {0.54}
    assert says(at, f"Model 0, mean of 3 runs\\: {right:.1%} of the test images right, {sure:.1%} confident")
    [group] = Library(store, None).groups("fashion-mnist")
    at.selectbox(key=f"run-{group.id}").set_value("Seed 1")
    again(at)
    assert says(at, f"Model 0, seed 1\\: {runs[1].finished_result.test_accuracy:.1%} of the test images right")


def test_one_run_answers_alone_if_it_is_chosen(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    group = library.groups("fashion-mnist")[0]
    at.selectbox(key=f"run-{group.id}").set_value("Seed 1")
    again(at)
    from fmnist.predict import prediction

    alone = prediction.probabilities(library, group, small_data.test_images[[3]])[1, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in alone]
    assert answers(at)["Model 0"] == CLOTHES.classes[alone.argmax()]


def test_a_test_image_is_found_by_class_and_by_who_gets_it_wrong(store, small_data, fashion):
    [run, *_] = three_models(store, small_data, weights=True)
    labels, said = small_data.test_labels, np.argmax(store.logits(run.id), axis=1)
    at = visit(PREDICT, how="Test image", index="0")
    at.selectbox(key="class").set_value("Bag")
    again(at)
    assert labels[at.number_input(key="index").value] == CLOTHES.classes.index("Bag")
    groups = {group.title: group.id for group in Library(store, None).groups("fashion-mnist")}
    at.selectbox(key="wrong").set_value(groups["Model 0"])
    at.selectbox(key="class").set_value(None)
    again(at)
    for _ in range(3):
        index = at.number_input(key="index").value
        assert said[index] != labels[index]
        at.button(key="surprise").click()
        again(at)
    assert at.button(key="surprise").label == f"Another of these {np.count_nonzero(said != labels)}"


def test_a_filter_with_one_image_or_none_has_no_other_one(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=0.99, weights=True)
    [wrong] = np.flatnonzero(store.predictions(1, 3) != small_data.test_labels)
    label = small_data.test_labels[wrong]
    for name, words in ((CLOTHES.classes[label], "The only one"), (CLOTHES.classes[label - 1], "There is none")):
        at = visit(PREDICT, how="Test image", index="0", wrong="Model 0", **{"class": name})
        assert at.button(key="surprise").label == f"{words} of these", name


def test_a_link_holds_the_image_and_how_it_was_found(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="9", **{"class": "Coat", "wrong": "Model 2"})
    groups = {group.title: group.id for group in Library(store, None).groups("fashion-mnist")}
    assert at.number_input(key="index").value == 9
    assert (at.selectbox(key="class").value, at.selectbox(key="wrong").value) == ("Coat", groups["Model 2"])


def test_what_if_the_image_were_different(store, small_data, fashion, caplog):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="3")
    before = bars(at)
    assert at.button(key="what-reset").disabled and not says(at, "Changed by “What if”")
    at.slider(key="what-dx").set_value(9)
    at.slider(key="what-angle").set_value(90)
    at.button_group(key="what-made").set_value(["Mirrored", "Inverted"])
    again(at)
    assert bars(at) != before and says(at, "Changed by “What if”")
    library = Library(store, None)
    from fmnist.predict import prediction

    changed = conversion.change(small_data.test_images[3][:, ::-1], dx=9, angle=90, invert=True)
    mean = prediction.probabilities(library, library.groups("fashion-mnist")[0], changed[None])[0, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in mean]
    at.button(key="what-reset").click()
    again(at)
    assert bars(at) == before and "default value" not in caplog.text


def test_a_drawing_is_answered_and_what_is_none_is_refused_in_a_sentence(store, small_data):
    three_models(store, small_data, weights=True)
    assert says(visit(PREDICT), "Draw one piece of clothing, and fill it")
    box = {"kind": "box", "points": [[90, 40], [190, 240]], "shade": 34, "width": 24}
    at = drawn([box])
    assert {*answers(at)} == EVERY_MODEL
    assert not says(at, "Draw one piece of clothing")
    [error] = texts(drawn([box | {"kind": "spray"}]), "error")
    assert is_one_sentence(error)


@pytest.mark.parametrize("sent", [["version"], {"raw": 5}])
def test_what_a_canvas_sends_and_is_no_drawing_is_refused_and_nothing_is_lost(sent, store, small_data):
    three_models(store, small_data, weights=True)
    box = {"kind": "box", "points": [[90, 40], [190, 240]], "shade": 34, "width": 24}
    at = visit(DATA)
    at.session_state["drawing"], at.session_state["pad-chosen"] = [box], {"pad": "canvas", "side": 420}
    at.switch_page(PREDICT)
    again(at)
    at.session_state[at.session_state["canvas"].key] = {"drawing": sent}
    [error] = texts(again(at), "error")
    assert is_one_sentence(error) and {*answers(at)} == EVERY_MODEL


def drawn(strokes: list[dict]) -> AppTest:
    """The page Predict of somebody who has drawn this on an earlier visit."""
    at = visit(DATA)
    at.session_state["drawing"] = strokes
    at.switch_page(PREDICT)
    return again(at)


def test_before_any_input_the_answers_for_a_test_image_are_shown_by_what_is_stored(store, small_data, fashion):
    runs = three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    assert says(at, "The models' answers appear here.") and says(at, "An example, test image 0: ")
    shares = [softmax(store.logits(run.id)[0].astype(float)) for run in runs]
    assert [re.findall(r"<td>(\d+%)</td>", table) for table in bars(at)] == [
        [f"{value:.0%}" for value in each] for each in shares
    ]
    assert not says(at, " ms")  # Nothing was computed.


def test_an_example_by_some_of_the_runs_does_not_speak_of_all(store, small_data, fashion, monkeypatch):
    monkeypatch.setattr(predict_answers, "MAX_SEEDS", 2)
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, accuracy=1)
    at = visit(PREDICT)
    assert says(at, "(all 2 training runs agree)") and says(at, "Of each model, at most 2 runs answer here.")


def test_examples_to_try(store, small_data, fashion):
    runs = three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    at.button(key="example-A drawing").click()
    again(at)
    assert {*answers(at)} == EVERY_MODEL and at.session_state["drawing"] == examples.BOOT
    at.button(key="example-A photo").click()
    again(at)
    assert at.session_state["how"] == "Upload" and {*answers(at)} == EVERY_MODEL
    assert says(at, "An example, made from a test image")
    at.button(key="example-All models wrong").click()
    again(at)
    index = at.number_input(key="index").value
    assert all(np.argmax(store.logits(run.id)[index]) != small_data.test_labels[index] for run in runs)
    at.button(key="example-Not clothing").click()
    again(at)
    assert at.session_state["how"] == "Draw" and at.session_state["drawing"] == examples.LETTER


def test_an_outline_that_was_drawn_is_filled_unless_that_is_undone(store, small_data):
    three_models(store, small_data, weights=True)
    corners = [[90, 40], [190, 40], [190, 240], [90, 240], [90, 50]]
    at = drawn([{"kind": "brush", "points": corners, "shade": 34, "width": 14}])
    filled = bars(at)
    assert says(at, "Your outline is filled") and not says(at, "Draw one piece of clothing")
    at.button(key="outlines").click()
    again(at)
    assert says(at, "Your outline is not filled") and says(at, "Draw one piece of clothing")
    assert bars(at) != filled


@pytest.mark.parametrize("seconds, words", [(0.0004, "0.4 ms"), (0.0121, "12 ms"), (1.5, "1,500 ms")])
def test_a_short_time_in_words(seconds, words):
    assert predict_answers.milliseconds(seconds) == words


@pytest.mark.parametrize("index", ["inf", "-1e999", "x", "1.5"])
def test_a_number_in_the_address_that_is_none_opens_the_first_test_image(index, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index=index)
    assert at.number_input(key="index").value == 0


@pytest.mark.parametrize("shade", [34.0, "34", [34], None])
def test_a_choice_of_the_canvas_that_is_none_of_ours_changes_nothing(shade, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT)
    at.session_state["pad-chosen"] = {"pad": "canvas", "side": 420}
    at.session_state["canvas-choice"] = {"tool": "brush", "width": 24, "shade": shade}
    again(at)
    assert at.session_state["canvas-choice"]["shade"] == 34
