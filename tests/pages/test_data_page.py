"""The Data page by AppTest: examples before averages, and what is peculiar where it is known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.ui import DATA, PREDICT, SAMPLE, again, says, shown, visit
from streamlit.testing.v1 import AppTest

from fmnist.data.catalog import CLOTHES, DATASETS
from fmnist.data.peculiarities import SHOES, point_left
from fmnist.ui.data_examples import PER_ROW

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def rows(at: AppTest) -> list[str]:
    """The names of the rows of pictures on the page; each row is one picture."""
    text = " ".join(block.proto.body for block in at.get("html") if 'class="strips"' in block.proto.body)
    assert text.count("<img") <= text.count("<span>")
    return re.findall(r"<span>(.*?)</span>", text)


def parts(at: AppTest) -> list[str]:
    return [tab.label for tab in at.tabs]


def test_the_first_thing_seen_are_examples_of_all_classes_each_row_one_picture(fashion):
    at = visit(DATA)
    assert rows(at) == list(CLOTHES.classes)
    at.selectbox(key="class").set_value("Coat")
    again(at)
    assert rows(at) == []
    [grid] = [block.proto.body for block in at.get("html") if 'class="tiles small"' in block.proto.body]
    assert grid.count("base64") == 1 and grid.count("<figure>") > 1


def test_pages_go_on_until_the_largest_class_ends(fashion, small_data):
    at = visit(DATA)
    most = np.bincount(small_data.train_labels).max()
    assert at.number_input[0].max == -(-most // PER_ROW)
    at.number_input[0].set_value(at.number_input[0].max)
    assert rows(again(at)) == list(CLOTHES.classes)


def test_peculiarities_are_counted_over_the_images_that_are_there(reference, fashion, small_data):
    at = visit(DATA, part="Peculiarities")
    shoes = [small_data.train_images[small_data.train_labels == CLOTHES.classes.index(name)] for name in SHOES]
    share = sum(point_left(images).sum() for images in shoes) / sum(map(len, shoes))
    assert says(at, f"**Shoes point left:** {share:.0%} of {sum(map(len, shoes)):,} shoes")
    [alike] = [text for text in shown(at, "markdown") if "look alike:" in text]
    assert re.search(r"\d+% of all errors of Model 2 in the reference runs", alike) and "12 of the 90" in alike
    assert any(" mistaken for " in row for row in rows(at))


@pytest.mark.parametrize("data", ["sample", "mnist"])
def test_of_other_data_nothing_peculiar_is_claimed(data, small_sample):
    at = visit(DATA, data=data, part="Peculiarities")
    assert "Peculiarities" not in parts(at) and not says(at, "point left")
    assert says(at, DATASETS[data].about)


def test_without_reference_runs_only_the_shoes_are_spoken_of(fashion):
    at = visit(DATA, part="Peculiarities")
    assert says(at, "Shoes point left") and not says(at, "look alike")


def test_sample_data_have_all_other_parts(small_sample):
    assert parts(visit(DATA, **SAMPLE)) == ["Examples", "Average pictures", "Counts"]


@pytest.mark.parametrize("chosen", ["All classes", "Coat"])
def test_what_is_chosen_here_is_no_class_that_predict_does_not_know(chosen, store, small_data, fashion):
    at = visit(DATA)
    at.selectbox(key="class").set_value(chosen)
    again(at)
    at.switch_page(PREDICT)
    at.query_params["how"] = "Test image"
    at._finished_page_script_hash = at._page_hash
    again(at)
    assert not at.error
