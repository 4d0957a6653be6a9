"""The first page: what it says and shows to somebody who has never heard of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from helpers.making import finished_run, three_models
from helpers.ui import HOME, SAMPLE, charts, says, shown, visit
from streamlit.testing.v1 import AppTest

from fmnist.data import files
from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.models.source import Source
from fmnist.recipe import Recipe
from fmnist.ui import plotly_loader, resources

pytestmark = pytest.mark.usefixtures("bare_pages")
SHIPPED = files.SHIPPED  # Before a test puts another place there.
NAMES = ["Model 0 · Linear", "Model 1 · MLP with ReLU", "Model 2 · TinyVGG (CNN)"]


def html(at: AppTest) -> list[str]:
    """What stands on the page beside Streamlit's own elements, from top to bottom, without styles."""
    return [re.sub(r"(?s)<style>.*?</style>", "", block.proto.body) for block in at.get("html")]


def pictures(at: AppTest) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", " ".join(html(at)))


def cards(at: AppTest) -> list[str]:
    """The text of each card."""
    found = re.findall(r"(?s)<article.*?</article>", " ".join(html(at)))
    return [re.sub(r"<[^>]+>", " ", card) for card in found]


def test_it_says_what_it_is_before_it_names_a_model(store, small_data):
    three_models(store, small_data)
    at = visit(HOME)
    what, verdict = shown(at, "markdown")[:2]
    assert "trains three small image classifiers" in what and "photos of clothes" in what
    for word in ("Model", "seed", "run"):
        assert word not in at.title[0].value + what
    assert verdict.startswith("**Model 2 · TinyVGG (CNN)** is ahead: **90.0%**, 10.0 points more than Model 1 · MLP")
    assert "as long to train as Model 0 (" in verdict  # Its full name is needed once.


def test_the_browser_is_told_to_load_plotly_before_anything_is_read(store, small_data, monkeypatch):
    three_models(store, small_data)
    done = []
    load, read = plotly_loader.load, resources.open_library
    monkeypatch.setattr(plotly_loader, "load", lambda *, soon: done.append(f"load, soon={soon}") or load(soon=soon))
    monkeypatch.setattr(resources, "open_library", lambda: done.append("read") or read())
    assert "accuracy-against-time" in charts(visit(HOME))
    assert done[:2] == ["load, soon=False", "read"]


def test_another_recipe_is_named_with_its_model(store, small_data):
    finished_run(store, Recipe("0"), small_data, accuracy=0.7)
    finished_run(store, Recipe("1", epochs=5), small_data, accuracy=0.8)
    at = visit(HOME)
    assert "**Model 1 · MLP with ReLU · SGD, lr 0.1, batch 32, 5 epochs** is ahead" in shown(at, "markdown")[1]
    assert "of test images right (one run), with SGD, lr 0.1, batch 32, 5 epochs" in cards(at)[1]
    assert "with" not in cards(at)[0]
    assert not says(at, "settings are compared here")


def test_what_else_was_trained_is_counted(store, small_data):
    """The best of all is not on this page: the published recipe is."""
    finished_run(store, Recipe("0"), small_data, accuracy=0.7)
    finished_run(store, Recipe("0", learning_rate=0.05), small_data, accuracy=0.9)
    at = visit(HOME)
    assert "70.0%" in cards(at)[0] and says(at, "1 of 2 settings are compared here")


def test_the_cards_say_what_each_model_is_and_how_it_did(store, small_data):
    for seed, more in ((0, 0.0), (1, 0.02)):
        for index, model in enumerate("012"):
            recipe = Recipe(model, seed)
            finished_run(store, recipe, small_data, accuracy=0.7 + index / 10 + more, seconds=1.5 + index)
    found = cards(visit(HOME))
    assert [name in card for name, card in zip(NAMES, found, strict=True)] == [True] * 3
    assert "91.0%" in found[2] and "(2 runs: 90.0 to 92.0%)" in found[2]
    assert re.search(r"Parameters\s+7,850", found[0]) and re.search(r"Training time\s+1.50 s", found[0])
    assert ["Highest accuracy" in card for card in found] == [False, False, True]
    assert all(ARCHITECTURES[id].gist in card for id, card in zip("012", found, strict=True))
    assert all("1 × 28 × 28" in card for card in found) and "MaxPool2d" in found[2]


def test_models_that_are_equally_accurate_share_the_badge_or_have_none(store, small_data):
    for model in "01":
        finished_run(store, Recipe(model), small_data, accuracy=0.8)
    assert not any("Highest accuracy" in card for card in cards(visit(HOME)))
    finished_run(store, Recipe("2"), small_data, accuracy=0.7)
    assert ["Highest accuracy" in card for card in cards(visit(HOME))] == [True, True, False]


def test_a_model_whose_runs_all_hold_out_images_is_not_called_untrained(store, small_data):
    finished_run(store, Recipe("0"), small_data)
    finished_run(store, Recipe("1", validation=60), small_data)
    at = visit(HOME)
    assert says(at, "Model 2 is not trained yet. Of Model 1, there are only runs that hold out images so far: see")
    found = cards(at)
    assert "Only runs that hold out images so far." in found[1] and "Not trained yet." in found[2]


def test_a_card_says_that_runs_never_answer_some_class(store, small_data):
    for seed, never in ((0, ()), (1, (5,)), (2, (5, 7))):
        finished_run(store, Recipe("1", seed), small_data, accuracy=0.7, never=never)
    finished_run(store, Recipe("0"), small_data, accuracy=0.7)
    found = cards(visit(HOME))
    assert "2 of 3 runs never predict at least one class." in found[1]
    assert "never" not in found[0]


def test_a_single_run_that_never_predicts_some_class_is_no_plural(store, small_data):
    finished_run(store, Recipe("1"), small_data, accuracy=0.7, never=(5,))
    assert "(one run). It never predicts at least one class." in re.sub(r"\s+", " ", cards(visit(HOME))[1])


def test_a_time_of_other_conditions_is_marked_on_its_card(store, small_data):
    for model in "01":
        finished_run(store, Recipe(model), small_data)
    finished_run(store, Recipe("2"), small_data, machine="Another processor", seconds=9)
    found = cards(visit(HOME))
    assert ["timed under different conditions" in card for card in found] == [False, False, True]


def test_models_that_are_not_trained_have_a_card_too():
    found = cards(visit(HOME))
    assert len(found) == 3
    assert all("Not trained yet" in card and name in card for name, card in zip(NAMES, found, strict=True))


@pytest.mark.parametrize("sample", [False, True])
def test_there_is_a_picture_of_each_class(sample, store, small_data, small_sample, fashion):
    finished_run(store, Recipe("0", dataset="sample"), small_data)
    at = visit(HOME, **(SAMPLE if sample else {}))
    assert pictures(at) == [*CLOTHES.classes]
    assert sum("data:image/png;base64" in block for block in html(at)) == 1  # One image for all ten.


def test_the_pictures_need_no_data(monkeypatch):
    assert pictures(visit(HOME)) == []
    monkeypatch.setattr(files, "SHIPPED", SHIPPED)
    assert pictures(visit(HOME)) == [*CLOTHES.classes]


@pytest.fixture
def many_custom(store, small_data, monkeypatch) -> Iterator[list[str]]:
    """The names of seven custom models, which have a run each; the last one is the most accurate."""
    source = Source("/somewhere/models.py", "")
    custom = [
        replace(ARCHITECTURES["0"], id=f"m{index}@1", name=f"Mine {index}", layers="Flatten, Mine(10)", source=source)
        for index in range(7)
    ]
    monkeypatch.setattr("fmnist.ui.resources.custom.refresh", lambda *_, **__: None)  # They stand in no file.
    ARCHITECTURES.install(custom)
    for index, model in enumerate(custom):
        finished_run(store, Recipe(model.id), small_data, accuracy=0.5 + index / 20)
    yield [model.name for model in custom]
    ARCHITECTURES.install([])


def test_custom_models_have_a_line_each_below_the_cards(many_custom, store, small_data):
    for model in ARCHITECTURES.project:
        finished_run(store, Recipe(model), small_data, accuracy=0.9)
    at = visit(HOME)
    lines = [re.sub(r"<[^>]+>", "", line) for line in re.findall(r"(?s)<li style.*?</li>", " ".join(html(at)))]
    assert [line.partition(":")[0] for line in lines] == many_custom[:-6:-1]  # The best five.
    assert lines[0] == "Mine 6: 80.0% · Parameters 7,850 · Training time 2.00 s · Flatten, Mine(10)"
    assert "2 more custom models" in " ".join(html(at))
    assert len(cards(at)) == 3


def test_a_custom_model_can_be_the_best(many_custom):
    at = visit(HOME)
    assert "Mine 6</b>: 80.0%, the highest accuracy" in " ".join(html(at))
    assert not any("Highest accuracy" in card for card in cards(at))
