"""The Compare page by AppTest: its tabs, and what they say."""

from __future__ import annotations

import json

import pytest
from helpers.making import ended_run, finished_run, running_run, three_models
from helpers.ui import (
    COMPARE,
    CONFUSION,
    HOME,
    PREDICT,
    again,
    charts,
    confirm_button,
    model_colors,
    says,
    texts,
    traces,
    visit,
)

from fmnist.compare.confirmation import FIRST_SEED
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.store import Store

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def test_compare_says_how_sure_each_difference_is(store, small_data, fashion):
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.60 + seed / 100)
        finished_run(store, Recipe("2", seed), small_data, accuracy=0.84 + seed / 50)
    at = visit(COMPARE)
    assert says(at, "Model 2 beats Model 0 by 25.0 points")
    assert "differences" in charts(at)
    assert not [button for button in at.button if button.key == "more-seeds"]


TABS = ["Differences", "Learning", "Time and size", "Confidence", "Classes", "What went wrong", "Table"]


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_compare_holds_with_a_dead_seed_a_lonely_one_and_other_devices(tab, store, small_data, fashion):
    finished_run(store, Recipe("2", 0), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("2", 1), small_data, accuracy=0.9)
    finished_run(store, Recipe("0"), small_data)
    finished_run(store, Recipe("1"), small_data, device="NVIDIA H100", machine="Another processor")
    running_run(store, Recipe("0", 7), small_data)
    at = visit(COMPARE, tab=tab)
    assert all(chart.alt for chart in charts(at).values())
    if tab == "Differences":
        assert says(at, "**Other things differ too:** the seeds and the timing conditions.")
    if tab == "Time and size":
        assert says(at, "Model 1 was timed on NVIDIA H100, alone, not on CPU of A processor, alone.")
        assert "Model 1 80.0% for 2.0 s (timed under different conditions)" in charts(at)["accuracy-against-cost"].alt
        assert says(at, "Left out: Model 1 (timed under different conditions).")
        [bar] = traces(charts(at)["cost-bars"])
        assert bar["marker"]["pattern"]["shape"] == ["", "/", ""]
    if tab == "What went wrong":
        assert says(at, "1 of 4 runs")


def test_of_models_that_were_trained_with_mirrored_images_it_is_said_what_that_is_good_for(store, fashion, small_data):
    finished_run(store, Recipe("0", mirror=True), small_data, weights=True)
    finished_run(store, Recipe("1"), small_data, weights=True)
    at = visit(COMPARE, tab="Classes")
    [said] = [text for text in texts(at, "markdown") if text.startswith("**Shoes that point right:**")]
    assert "mirrored recognises **" in said and "Model 1 recognises **" in said


def test_a_single_seed_is_said_to_show_little_and_more_are_offered(store, small_data, fashion):
    three_models(store, small_data)
    at = visit(COMPARE)
    assert says(at, "Single runs can't show")
    [link] = [link.proto for link in at.get("page_link") if "with five seeds" in link.proto.label]
    assert "models=0%2C1%2C2" in link.query_string and "seeds=5" in link.query_string


def swept(store: Store, small_data: Dataset) -> None:
    """Two models, two learning rates, three seeds; and one setting of which every run has failed."""
    for model, rate, accuracy in (("0", 0.1, 0.6), ("0", 0.01, 0.7), ("2", 0.1, 0.8), ("2", 0.01, 0.9)):
        for seed in (0, 1, 2):
            finished_run(store, Recipe(model, seed, learning_rate=rate), small_data, accuracy=accuracy)
    ended_run(store, Recipe("2", learning_rate=10), small_data, "failed", "The loss is not a finite number any more.")


def test_a_sweep_is_shown_with_its_best_group_and_what_matters(store, small_data, fashion):
    swept(store, small_data)
    at = visit(COMPARE)
    at.session_state["tab"] = "Sweep"
    again(at)
    assert says(at, "2 of 4 settings are compared here")
    assert says(at, "Best of 5: **Model 2, SGD, lr 0.01, batch 32, 3 epochs** with **90.0%** on average over 3 runs")
    assert says(at, "The **model** matters most: all else equal, its best and its worst value lie 20.0 points apart")
    assert says(at, "1 run ended with an error") and says(at, "the same test images chose it")
    assert "Model 2, SGD, lr 0.01, batch 32, 3 epochs 90.0%" in charts(at)["sweep"].alt
    [table] = [table.value for table in at.dataframe if "failed" in table.value]
    assert table["accuracy_mean"].round().tolist()[:4] == [90, 80, 70, 60]
    assert table["failed"].tolist() == [0, 0, 0, 0, 1]
    assert confirm_button(at)
    at.button(key="compare-best").click()
    again(at)
    assert at.multiselect[0].value == ["10", "7", "4", "1"]  # The most accurate first.
    assert not says(at, "settings are compared here")
    assert says(at, "**Model 2 · SGD, lr 0.01, batch 32, 3 epochs** is ahead")
    assert not says(at, "is the most accurate")


def trials(store: Store, small_data: Dataset, tested: float) -> None:
    """A sweep with held-out images, of which all runs are right on this share of the test images."""
    for rate, accuracy in ((0.1, 0.6), (0.01, 0.7)):
        for seed in (0, 1, 2):
            recipe = Recipe("0", seed, learning_rate=rate, validation=100)
            finished_run(store, recipe, small_data, accuracy=tested, held_out=accuracy + seed / 100)


def test_a_sweep_with_held_out_images_shows_no_test_figure_before_it_is_confirmed(
    store, small_data, fashion, started, tmp_path, monkeypatch
):
    pages = []
    for tested in (0.9, 0.3):
        monkeypatch.setenv("FMNIST_RUNS", str(tmp_path / str(tested)))
        trials(own := Store(tmp_path / str(tested) / "fmnist.db"), small_data, tested)
        shown = []
        for tab in ("Sweep", "Learning", "Time and size", "What went wrong", "Table"):
            at = visit(COMPARE, source="own", tab=tab)
            tables = [table.value.to_csv() for table in at.dataframe]
            figures = [json.dumps([*traces(chart)], default=str) + chart.alt for chart in charts(at).values()]
            shown.append([*texts(at, "markdown", "caption", "success"), *tables, *figures])
        assert says(at, "of the held-out images on average over 3 runs") and says(at, "**Chosen, not yet confirmed.**")
        assert "Differences" not in {tab.label for tab in at.tabs}
        pages.append(shown)
    assert pages[0] == pages[1]
    assert not own.runs("queued")
    at = visit(COMPARE, source="own")
    confirm_button(at).click().run()
    asked = {(run.recipe.learning_rate, run.recipe.validation, run.recipe.seed) for run in own.runs("queued")}
    assert asked == {(rate, 0, FIRST_SEED + index) for rate in (0.1, 0.01) for index in range(5)}
    assert not [button for button in visit(COMPARE, source="own").button if button.label.startswith("Confirm with")]


def test_other_pages_say_where_runs_with_held_out_images_are(store, small_data, fashion):
    trials(store, small_data, 0.8)
    for page in (HOME, CONFUSION, PREDICT):
        assert says(visit(page, source="own"), "All runs on these data hold out images"), page
    finished_run(store, Recipe("0"), small_data)
    assert says(visit(COMPARE, source="own"), "## **Model 0** recognises **80.0%** of the test images")


def test_without_a_sweep_there_is_no_tab_for_it(store, small_data, fashion):
    three_models(store, small_data)
    assert "Sweep" not in {tab.label for tab in visit(COMPARE).tabs}
    finished_run(store, Recipe("0", epochs=1), small_data)
    assert "Sweep" in {tab.label for tab in visit(COMPARE).tabs}


def test_lonely_groups_of_several_recipes_get_a_link_each(store, small_data, fashion):
    finished_run(store, Recipe("0", learning_rate=0.5), small_data)
    finished_run(store, Recipe("2"), small_data)
    at = visit(COMPARE)
    links = [link.proto for link in at.get("page_link") if "with five seeds" in link.proto.label]
    assert ["rate=0.5" in link.query_string for link in links] == [True, False]


def test_compare_names_what_went_wrong(store, small_data, fashion):
    finished_run(store, Recipe("1"), small_data, never=(6,))
    finished_run(store, Recipe("0"), small_data)
    at = visit(COMPARE)
    at.session_state["tab"] = "What went wrong"
    again(at)
    assert says(at, "1 of 2 runs") and says(at, "is never predicted")


def test_the_tab_sweep_is_not_said_to_rank_what_only_confirms(store, small_data):
    for model, rate in (("0", 0.1), ("0", 0.2), ("1", 0.1)):
        finished_run(store, Recipe(model, learning_rate=rate), small_data)
    assert says(visit(COMPARE), "2 of 3 settings are compared here; the tab **Sweep** ranks all of them.")
    finished_run(store, Recipe("1", FIRST_SEED, learning_rate=0.2), small_data)
    assert says(visit(COMPARE), "2 of 4 settings are compared here; the tab **Sweep** ranks 3 of them.")


def test_what_went_wrong_on_held_out_images_needs_no_test_images(store, small_data):
    finished_run(store, Recipe("1", validation=60), small_data, never=(6,))
    assert says(visit(COMPARE, tab="What went wrong"), "is never predicted")


def test_both_shows_own_runs_and_the_reference_of_each_model_side_by_side(reference, store, small_data):
    for model, accuracy in (("0", 0.6), ("1", 0.7), ("2", 0.9)):
        for seed in range(3):
            recipe = Recipe(model, seed)
            finished_run(store, recipe, small_data, accuracy=accuracy + seed / 100, seconds=4 - int(model))
    said = visit(COMPARE, source="both", tab="Time and size")
    [cost] = [text for text in texts(said, "markdown") if text.startswith("In your runs, ")]
    assert "**Model 2 (91.0% for 2.0 s)** is the cheapest" in cost and "may be chance" not in cost
    at = visit(COMPARE, source="both")
    rows = list(traces(charts(at)["accuracy"]))
    means = [trace for trace in rows if trace["mode"] == "markers+text"]
    assert [trace["name"] for trace in means] == [
        *("Model 0", "Model 0 · reference"),
        *("Model 1", "Model 1 · reference"),
        *("Model 2", "Model 2 · reference"),
    ]
    inks = [trace["marker"]["color"] for trace in means]
    assert all(
        pale.startswith("rgba") and not own.startswith("rgba") for own, pale in zip(inks[::2], inks[1::2], strict=True)
    )
    assert all(len(colors) == 1 for colors in model_colors("accuracy", charts(at)["accuracy"]).values())
    assert says(at, "in your runs") and says(at, "in the reference runs") and says(at, "Pale: the reference.")


def test_both_pairs_by_model_and_not_by_title_and_keeps_to_what_is_chosen(reference, store, small_data):
    """Own runs by another recipe stand beside the reference of their model; an old link opens what it names."""
    finished_run(store, Recipe("2", epochs=1), small_data)
    finished_run(store, Recipe("2", learning_rate=0.5), small_data, accuracy=0.5)
    at = visit(COMPARE, source="both", tab="Time and size")
    chosen = at.multiselect[0].value
    assert len(chosen) == 4 and not chosen[2].startswith("reference") and chosen[3].startswith("reference")
    patterns = traces(charts(at)["cost-bars"])[0]["marker"]["pattern"]["shape"]
    assert patterns[3] == "."
    assert not says(at, "worth their cost"), "one model of the user does not compete with the reference"
    at.multiselect[0].set_value([chosen[3], chosen[0], chosen[2]])
    again(at)
    names = [trace["name"] for trace in traces(charts(at)["accuracy"]) if trace["mode"] == "markers+text"]
    assert names == ["Model 2 · SGD, lr 0.5, batch 32, 3 epochs", "Model 2 · reference", "Model 0 · reference"]
    old = visit(COMPARE, source="both", **{"groups-fashion-mnist-own": ["reference-model-0", "reference-model-1"]})
    assert [value.partition("-")[0] for value in old.multiselect[0].value] == ["reference"] * 2


def test_the_verdict_is_one_sentence_and_what_a_newcomer_may_not_know_is_explained(store, small_data, fashion):
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.60 + seed / 100)
        finished_run(store, Recipe("2", seed), small_data, accuracy=0.84 + seed / 50)
    at = visit(COMPARE)
    [verdict] = [block.value for block in at.markdown if block.value.startswith("## **Model 2** is the most accurate")]
    assert verdict.count(". ") == 0 and verdict.endswith("more than Model 0.")
    assert [text for text in at.caption if "training run" in text.value and "**Seed**: " in text.help]


def test_the_columns_of_the_table_are_named_in_words(store, small_data, fashion):
    three_models(store, small_data)
    [table] = visit(COMPARE, tab="Table").dataframe
    columns = json.loads(table.proto.columns)
    named = {name: (column or {}).get("label") for name, column in columns.items()}
    assert named["accuracy_mean"] == "Mean accuracy"
    assert all(named.get(name) for name in table.value.columns)
