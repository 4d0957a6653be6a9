"""Pictures on Predict that stay: a photo from the camera, and a drawing in whose place an example stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.data_files import keep_as_sample
from helpers.making import finished_run, three_models
from helpers.pictures import canvas, encode
from helpers.ui import DATA, PREDICT, again, labels, says, visit
from streamlit.testing.v1 import AppTest

from fmnist.recipe import Recipe

pytestmark = pytest.mark.usefixtures("bare_pages", "started")
ANOTHER = "Take another photo"


@pytest.fixture
def photographed(store, small_data) -> AppTest:
    """Predict with a photo that was just taken, and answered."""
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Camera")
    assert says(at, "The models' answers appear here.") and ANOTHER not in labels(at)
    photo = encode(canvas((700, 500), box=(200, 100, 400, 400)), "JPEG")
    at.camera_input[0].set_value(("photo.jpg", photo, "image/jpeg"))
    again(at)
    assert is_answered(at)
    return at


def is_answered(at: AppTest) -> bool:
    return bool([part for part in at.get("html") if 'class="bars"' in part.proto.body]) and not says(at, "appear here")


@pytest.mark.parametrize("way", ["source", "page"])
def test_a_photo_stays_over_other_sources_and_pages_and_the_camera_does_not_go_on_by_itself(way, photographed):
    at = photographed
    if way == "source":
        at.session_state["how"] = "Draw"
        again(at)
        at.session_state["how"] = "Camera"
        again(at)
    else:
        at.switch_page(DATA)
        again(at)
        at.switch_page(PREDICT)
        again(at)
        assert at.session_state["how"] == "Camera"
    assert is_answered(at) and not at.camera_input
    assert is_answered(again(at)) and not at.camera_input
    next(button for button in at.button if button.label == ANOTHER).click()
    again(at)
    assert at.camera_input and not is_answered(at)


def test_a_photo_that_is_cleared_does_not_come_back(photographed):
    at = photographed
    at.camera_input[0].set_value(None)
    assert not is_answered(again(at))
    for source in ("Draw", "Camera"):
        at.session_state["how"] = source
        again(at)
    assert at.camera_input and not is_answered(at)


def test_without_a_photo_who_comes_back_does_not_find_the_camera(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Camera")
    at.switch_page(DATA)
    again(at)
    at.query_params.clear()
    at.switch_page(PREDICT)
    assert again(at).session_state["how"] == "Draw"


def stroke(left: int) -> dict:
    return {"kind": "box", "points": [[left, 40], [190, 240]], "shade": 34, "width": 24}


@pytest.mark.parametrize("pad", ["pad", "canvas"])
def test_a_drawing_in_whose_place_an_example_stands_comes_back(pad, store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(DATA)
    mine = at.session_state["drawing"] = [stroke(90)]
    at.session_state["pad-chosen"] = {"pad": pad, "side": 420}
    at.switch_page(PREDICT)
    again(at)
    assert not says(at, "replaced your drawing")
    for example in ("A drawing", "Not clothing"):
        at.button(key=f"example-{example}").click()
        again(at)
        assert at.session_state["drawing"] != mine and says(at, "The example replaced your drawing.")
    at.button(key="bring-back").click()
    again(at)
    assert at.session_state["drawing"] == mine and not says(at, "replaced your drawing")


def test_who_draws_on_an_example_keeps_what_is_drawn(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(DATA)
    at.session_state["drawing"] = [stroke(90)]
    at.switch_page(PREDICT)
    again(at)
    at.button(key="example-A drawing").click()
    again(at)
    at.session_state["drawing"] = [*at.session_state["drawing"], stroke(20)]
    assert not says(again(at), "replaced your drawing")
    at.button(key="example-Not clothing").click()
    again(at)
    at.button(key="bring-back").click()
    assert again(at).session_state["drawing"][-1] == stroke(20)


def test_the_address_names_the_test_image_that_is_shown_where_other_data_have_fewer(store, small_data, fashion):
    few = replace(small_data, test_images=small_data.test_images[:40], test_labels=small_data.test_labels[:40])
    keep_as_sample(few, store.path.parent)
    finished_run(store, Recipe("0"), small_data, weights=True)
    finished_run(store, Recipe("0", dataset="sample"), few, weights=True)
    at = visit(PREDICT, how="Test image", index="70", data="fashion-mnist")
    assert at.number_input(key="index").value == 70
    for data in ("sample", "fashion-mnist"):
        at.segmented_control(key="data").set_value(data)
        again(at)
        again(at)
        assert at.number_input(key="index").value == 0 and "index" not in at.query_params
