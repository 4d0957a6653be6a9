"""Groups are told apart by all digits of what they differ in, and an old address still opens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.making import finished_run
from helpers.ui import COMPARE, CONFUSION, DATA, HOME, PREDICT, SAMPLE, again, confirm_button, shown, texts, visit

from fmnist.grid import as_text, decimals
from fmnist.recipe import Recipe
from fmnist.store.library import Library, default_groups, told_apart
from fmnist.words import exact

pytestmark = pytest.mark.usefixtures("bare_pages", "started")

BOTH = {"runs-sample-own": ["all-3", "all-1"]}
"""Both of two groups with two seeds each, the newer first."""
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


def test_the_best_of_a_sweep_are_compared_and_confirmed_with_all_digits(swept, store):
    at = visit(COMPARE, **SAMPLE, tab="Sweep")
    at.button(key="compare-best").click()
    again(at)
    chosen = at.multiselect[0].value
    assert chosen == [group.id for group in sorted(swept, key=lambda group: -group.runs[0].result.test_accuracy)]
    confirm_button(visit(COMPARE, **SAMPLE, tab="Sweep")).click().run()
    published = Recipe("0", dataset="sample").learning_rate
    assert {run.recipe.learning_rate for run in store.runs("queued")} == {RATES[0], published}


def test_a_click_confirms_the_setting_that_the_visitor_sees(swept, store, small_sample):
    at = visit(COMPARE, **SAMPLE, tab="Sweep")
    better = replace(swept[0].recipe, learning_rate=0.25)
    finished_run(store, better, small_sample, accuracy=1.0)  # In the meantime another one turns out to be the best.
    confirm_button(at).click().run()
    assert store.runs("queued") == []
    confirm_button(again(at)).click().run()
    assert {run.recipe.learning_rate for run in store.runs("queued")} == {0.25, 0.1}


@pytest.mark.parametrize("page", [COMPARE, CONFUSION])
@pytest.mark.parametrize("by", ["id", "title", "old title", "nothing"])
def test_an_address_opens_that_names_them_by_id_or_title(page, by, swept):
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


@pytest.mark.parametrize("page, key", [(COMPARE, "groups-sample-own"), (CONFUSION, "runs-sample-own")])
def test_what_an_address_names_and_is_gone_is_said_while_the_visit_lasts(page, key, swept, store):
    named = swept[0].key if page == COMPARE else swept[0].id
    at = visit(page, **SAMPLE, **{key: [named, "model-9", "*x*"]})
    for _ in range(2):
        [said] = shown(at, "info")
        assert said == "The address names “model-9” and “*x*”, which are not here: deleted, perhaps."
        assert at.multiselect(key=key).value == [swept[0].id]
        again(at)
    at.switch_page(DATA)
    assert not texts(again(at), "info")
    store.delete(swept[0].runs[0].id)
    [said] = shown(visit(page, **SAMPLE, **{key: named}), "info")
    assert f"“{named}”, which is not here" in said
    assert not texts(visit(page, **SAMPLE), "info")


@pytest.mark.parametrize("by", ["id", "title", "old title", "nothing"])
def test_one_of_those_compared_is_known_by_its_id_and_its_title_opens_too(by, swept):
    first, second = swept[0], swept[1]
    titles = {"title": second.title_of("seed 0"), "old title": f"{second.title}, seed 0"}
    named = {"id": second.id, **titles, "nothing": "Model 7, seed 0"}[by]
    runs = {"runs-sample-own": [first.id, second.id]}
    at = visit(CONFUSION, **SAMPLE, **runs, of=named)
    assert at.selectbox(key="of").value == (first.id if by == "nothing" else second.id)
    at = visit(CONFUSION, **SAMPLE, **runs, cells="Difference", **{"from": named, "to": first.id})
    assert at.selectbox(key="from").value == (first.id if by == "nothing" else second.id)
    assert at.selectbox(key="to").value == first.id
    assert at.selectbox(key="to").options == [group.title_of("seed 0") for group in (first, second)]


@pytest.mark.parametrize("by", ["id", "title", "nothing"])
def test_who_got_an_image_wrong_is_known_by_its_id_and_its_title_opens_too(by, swept):
    [group] = default_groups(swept)
    named = {"id": group.id, "title": group.title, "nothing": "Model 7"}[by]
    at = visit(PREDICT, **SAMPLE, how="Test image", index="3", wrong=named)
    assert at.selectbox(key="wrong").value == (None if by == "nothing" else group.id)
    assert at.selectbox(key="wrong").options == [group.title]


def test_what_was_chosen_stays_when_its_title_becomes_another(swept, store, small_sample):
    first, second = swept[0], swept[1]
    at = visit(CONFUSION, **SAMPLE, **{"runs-sample-own": [first.id, second.id]}, of=second.id)
    recipe = replace(second.recipe, seed=0)
    finished_run(store, recipe, small_sample, device="A GPU")  # Now both are named with their device.
    again(at)
    assert at.selectbox(key="of").options == [first.title_of("seed 0"), f"{second.title_of('seed 0')} · CPU"]
    assert at.selectbox(key="of").value == second.id


@pytest.mark.parametrize(
    "page, query",
    [
        *((page, {}) for page in (HOME, COMPARE, CONFUSION, PREDICT)),
        (CONFUSION, BOTH | {"cells": "Difference", "to": "all-3", "true": "Bag", "predicted": "Bag"}),
        (CONFUSION, BOTH | {"view": "Who is right"}),
    ],
)
def test_the_name_of_a_device_is_shown_as_it_is(page, query, store, small_sample):
    for device in ("A GPU", "![x](http://127.0.0.1/x.png)"):  # The newest one is shown first.
        for seed in (0, 1):
            finished_run(store, Recipe("0", seed, "sample"), small_sample, device=device, machine=device, weights=True)
    at = visit(page, **SAMPLE, **query)
    options = [option.content for group in at.get("button_group") for option in group.proto.options]
    said = texts(at, "title", "markdown", "caption", "info", "warning", "error")
    assert not [text for text in said if "![x](" in text] and not [option for option in options if "![x](" in option]


# What stands in the address


def test_the_address_names_groups_by_what_they_are_and_not_by_their_titles(swept):
    named = "groups-sample-own"
    at = visit(COMPARE, **SAMPLE, **{named: swept[1].title})
    assert at.query_params[named] == "model-0-sgd-0.00316228-32-1"
    at.multiselect(key=named).set_value([swept[2].id, swept[0].id])
    again(at)
    assert at.query_params[named] == ["model-0-sgd-0.0005-32-1", f"model-0-sgd-{RATES[0]}-32-1"]
    at.multiselect(key=named).set_value([])
    again(at)
    assert at.query_params[named] == ""
    assert visit(COMPARE, **at.query_params).multiselect(key=named).value == []
    at.multiselect(key=named).set_value([default_groups(swept)[0].id])
    again(at)
    assert named not in at.query_params, "what is shown anyhow stands there"


def test_the_address_of_a_confusion_names_runs_by_their_ids(swept):
    first, second = swept[:2]
    shown = {"runs-sample-own": [first.title + ", seed 0", second.title + ", seed 0"]}
    cell = {"true": "Bag", "predicted": "Bag"}
    at = visit(CONFUSION, **SAMPLE, **shown, **cell, of=f"{second.title}, seed 0")
    assert at.query_params == SAMPLE | {"runs-sample-own": ["1", "2"], "of": "2"} | cell
    words = {"from": f"{second.title}, seed 0", "to": f"{first.title}, seed 0", "flip": "Recognised by both"}
    at = visit(CONFUSION, **SAMPLE, **shown, **cell, cells="Difference", **words)
    assert {name: at.query_params[name] for name in words} == {"from": "2", "to": "1", "flip": "alike"}
    for title in (second.title_of("seed 0"), f"{second.title}, seed 0"):  # The latter is that of earlier versions.
        at = visit(CONFUSION, **SAMPLE, **shown, view="Who is right", pattern=f"Only {title} is right")
        assert at.query_params["pattern"] == "right-2" and at.selectbox(key="pattern").value == "right-2"
    again(visit(CONFUSION, **at.query_params))
    assert at.selectbox(key="pattern").value == "right-2"


def test_what_belongs_to_a_widget_that_is_gone_is_taken_out_of_the_address(swept):
    at = visit(CONFUSION, **SAMPLE, **{"runs-sample-own": ["1", "2"]}, of="2")
    at.segmented_control(key="cells").set_value("difference")
    again(at)
    assert "of" not in at.query_params and at.query_params["runs-sample-own"] == ["1", "2"]


@pytest.mark.parametrize("data", ["sample", "Sample data"])
def test_the_address_names_a_data_set_by_its_id(data, small_sample):
    at = visit(DATA, data=data)
    assert at.segmented_control(key="data").value == "sample" and at.query_params == {"data": "sample"}


def test_no_two_groups_have_one_key(swept):
    [group] = swept[:1]
    others = {"source": "reference", "where": "A GPU"}
    others |= {"recipe": replace(group.recipe, model="1")}
    for name in ("epochs", "batch_size", "learning_rate", "optimizer"):
        found = replace(group, recipe=replace(group.recipe, **{name: "adam" if name == "optimizer" else 7}))
        assert found.key != group.key, name
    for name, value in others.items():
        assert replace(group, **{name: value}).key != group.key, name


def test_an_address_opens_the_same_group_when_its_first_seed_is_trained_again(swept, store, small_sample):
    asked = {"groups-sample-own": swept[1].key}
    finished_run(store, swept[1].recipe, small_sample)
    [chosen] = visit(COMPARE, **SAMPLE, **asked).multiselect[0].value
    [group] = [group for group in Library(store, None).groups("sample") if group.id == chosen]
    assert group.recipe == swept[1].recipe and group.id != swept[1].id
