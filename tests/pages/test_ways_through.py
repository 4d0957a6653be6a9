"""The line at the end of a page leads where it says, by AppTest."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from helpers.making import finished_run, three_models
from helpers.ui import COMPARE, CONFUSION, DATA, PREDICT, TRAIN, says, shown, tiles, visit
from streamlit.testing.v1 import AppTest

from fmnist.data.catalog import CLOTHES
from fmnist.recipe import Recipe

pytestmark = pytest.mark.usefixtures("bare_pages", "started")
PAGE_OF = {"Train": TRAIN, "Compare": COMPARE, "Confusion": CONFUSION, "Predict": PREDICT}


def next_step(at: AppTest) -> tuple[str, str, dict[str, list[str]]]:
    """What the last line says, the page it leads to, and the query."""
    *_, line = [link.proto for link in at.get("page_link") if link.proto.icon == ":material/arrow_forward:"]
    return line.label.replace("\\", ""), line.page, parse_qs(line.query_string)


def follow(at: AppTest) -> AppTest:
    _, page, query = next_step(at)
    return visit(PAGE_OF[page], **query)


def test_compare_leads_to_what_a_model_says_instead_of_a_class(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=0.9)
    finished_run(store, Recipe("1"), small_data, never=(CLOTHES.classes.index("Sandal"),))
    at = visit(COMPARE)
    assert next_step(at)[0] == "Model 1 never predicts Sandal: see what it says instead."
    at = follow(at)
    [said] = [text for text in shown(at, "markdown") if "Model 1, seed 0: **Sandal** mistaken for" in text]
    assert len(tiles(at)) > 0 and said


def test_confusion_leads_to_the_first_image_of_the_cell(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(CONFUSION)
    image = tiles(at)[0].partition(" ")[0].removeprefix("#")
    sentence, page, query = next_step(at)
    assert sentence.startswith(f"Test image {image}, labelled ")
    assert (page, query) == ("Predict", {"how": ["Test image"], "index": [image]})


def test_predict_leads_to_the_cell_of_a_wrong_answer(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    assert next_step(visit(PREDICT))[:2] == ("See what the models mix up.", "Confusion")
    at = visit(PREDICT, how="Test image", index="3")
    sentence, _, query = next_step(at)
    true = CLOTHES.classes[small_data.test_labels[3]]
    assert f"mistakes this {true} for " in sentence or sentence.endswith(f" mistakes for {true}.")
    at = follow(at)
    assert at.selectbox(key="predicted").value == query["predicted"][0]


def test_train_leads_to_the_runs_just_trained(store, small_data, fashion):
    finished_run(store, Recipe("0", epochs=1), small_data)
    assert next_step(visit(TRAIN))[0].startswith("See how Model 0, seed 0 does")
    assert follow(visit(TRAIN)).multiselect[0].value == ["1"]


def test_data_leads_to_a_training_on_them(small_sample):
    sentence, page, query = next_step(visit(DATA, data="Sample data"))
    assert sentence.startswith("The average pictures of ") and page == "Train"
    assert query["dataset"] == ["sample"]
    assert follow(visit(DATA, data="Sample data")).session_state["dataset"] == "sample"


def test_without_data_and_runs_each_page_still_leads_on(store):
    assert next_step(visit(DATA))[:2] == ("Train a model on them.", "Train")
    assert next_step(visit(TRAIN))[:2] == ("See how the finished runs compare.", "Compare")


def test_without_an_error_confusion_leads_to_the_drawing_pad(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=1)
    at = visit(CONFUSION)
    assert not tiles(at)
    assert next_step(at)[:2] == ("Nothing is mixed up here: draw something yourself.", "Predict")
    finished_run(store, Recipe("1"), small_data, accuracy=0.9)
    at = visit(CONFUSION, **{"runs-fashion-mnist-own": ["1", "2"]})
    assert says(at, "makes no mistakes.") and "is mistaken for" in next_step(at)[0]
    empty = visit(CONFUSION, **{"runs-fashion-mnist-own": ["2"], "true": "Bag", "predicted": "Trouser"})
    assert says(empty, "no image of **Bag** is mistaken") and "is mistaken for" in next_step(empty)[0]
