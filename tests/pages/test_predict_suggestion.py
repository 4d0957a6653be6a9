"""A suggestion on the Predict page, by the reference runs: it is said with both pictures, taken, and taken back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers.ui import DATA, PREDICT, again, says, texts, visit
from streamlit.testing.v1 import AppTest

from fmnist.store.store import REFERENCE

pytestmark = [
    pytest.mark.skipif(not REFERENCE.exists(), reason="the reference runs are not there"),
    pytest.mark.usefixtures("store", "started"),
]
DRAWN = json.loads((Path(__file__).parents[1] / "predict" / "first_drawings.json").read_text())


def drawn(label: str) -> AppTest:
    """The page of somebody who has drawn the first of the drawings of a class."""
    at = visit(DATA)
    at.session_state["drawing"] = next(each["strokes"] for each in DRAWN if each["label"] == label)
    at.switch_page(PREDICT)
    return again(at)


def test_a_boot_that_points_right_is_mirrored_only_when_the_user_wants_it():
    at = drawn("Ankle boot")
    assert says(at, "All models say **Bag**")
    [said] = [text for text in texts(at, "markdown") if text.startswith("Mirrored, all models say **Ankle boot**, ")]
    assert re.search(r", because in the (training|test) images, 9\d% of shoes point left\.$", said)
    assert [text for text in texts(at, "warning") if "don't trust the answers" in text]
    assert says(at, "Trained with mirrored images, Model 2 says **Ankle boot** of the picture as it is")
    [link] = [link.proto for link in at.get("page_link") if link.proto.label == "What mirroring is good for"]
    assert link.query_string == "tab=How+far+can+they+go"
    at.button(key="take").click()
    again(at)
    assert says(at, "All models say **Ankle boot** (all 15 training runs agree)")
    assert says(at, "Changed by “What if” below.") and not says(at, "Mirrored, all models")
    at.button(key="take-back").click()
    again(at)
    assert says(at, "All models say **Bag**") and says(at, "Mirrored, all models say **Ankle boot**")


def test_nothing_is_suggested_where_all_models_agree_and_are_sure():
    assert not any(button.key == "take" for button in drawn("T-shirt/top").button)
