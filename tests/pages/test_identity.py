"""Groups are told apart by all digits of what they differ in, and an old address still opens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.making import finished_run
from helpers.ui import COMPARE, CONFUSION, SAMPLE, again, visit

from fmnist.grid import as_text, decimals
from fmnist.recipe import Recipe
from fmnist.store.library import Library, told_apart
from fmnist.words import exact

pytestmark = pytest.mark.usefixtures("bare_pages", "started")

RATES = (0.0031622776601683795, 0.00316228, 0.0005)
"""The first two are the same to six digits."""


@pytest.fixture
def swept(store, small_sample):
    """A group for each rate, the first the best."""
    for place, rate in enumerate(RATES):
        recipe = Recipe("0", 0, "sample", 1, learning_rate=rate)
        finished_run(store, recipe, small_sample, accuracy=0.9 - place / 10, weights=True)
    return Library(store, None).groups("sample")


@pytest.mark.parametrize("rate", [*RATES, 0.1, 1.0, 1e-05, 100.0, 1 / 3])
def test_a_number_is_read_back_as_it_was(rate):
    assert float(exact(rate)) == rate and decimals(as_text([rate])) == [rate]
    assert f"lr {exact(rate)}," in Recipe("0", learning_rate=rate).describe()


def test_no_two_groups_have_one_title(swept):
    assert len({group.title for group in swept}) == 3
    twins = [replace(group, title="Model 0") for group in swept]
    assert len({group.title for group in told_apart(twins)}) == 3


def test_the_best_of_a_sweep_are_compared_and_trained_on_with_all_digits(swept, linkless, monkeypatch, store):
    links = []
    monkeypatch.setattr("streamlit.page_link", lambda *_, **options: links.append(options.get("query_params")))
    at = visit(COMPARE, **SAMPLE, tab="Sweep")
    at.button(key="compare-best").click()
    again(at)
    chosen = at.multiselect[0].value
    assert chosen == [group.id for group in sorted(swept, key=lambda group: -group.runs[0].result.test_accuracy)]
    again(at)
    [rate] = {link["rate"] for link in links if link and link["seeds"] == "6"}
    assert float(rate) == RATES[0]


@pytest.mark.parametrize("page", [COMPARE, CONFUSION])
@pytest.mark.parametrize("by", ["id", "title", "old title", "nothing"])
def test_an_address_opens_that_names_them_by_id_or_title(page, by, swept, linkless):
    group = next(group for group in swept if group.recipe.learning_rate == RATES[0])
    words = {
        "id": group.id,
        "title": group.title,
        "old title": "Model 0 · SGD, lr 0.00316228, batch 32, 1 epoch",
        "nothing": "Model 7",
    }[by]
    key = "groups-sample-own" if page == COMPARE else "runs-sample-own"
    if page == CONFUSION and by != "id":
        words += ", seed 0"
    at = visit(page, **SAMPLE, **{key: words})
    [chosen] = [box.value for box in at.multiselect if box.key == key]
    if by in ("id", "title"):
        assert chosen == [group.id]
    assert chosen  # An old title may mean the one that now has it, or the one that it was rounded for.
    again(at)
