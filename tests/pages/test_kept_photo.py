"""A photo from the camera, on Predict: it stays until another one is taken."""

from __future__ import annotations

import pytest
from helpers.making import three_models
from helpers.pictures import canvas, encode
from helpers.ui import DATA, PREDICT, again, labels, says, visit
from streamlit.testing.v1 import AppTest

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
