"""Every page in each of its states, by Streamlit's AppTest: real pages, a real store, no browser and no training."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, three_models
from helpers.ui import (
    COMPARE,
    CONFUSION,
    DATA,
    HOME,
    NOT_FASHION,
    PAGES,
    PREDICT,
    RESULT_PAGES,
    SAMPLE,
    TRAIN,
    again,
    charts,
    labels,
    live_curves,
    model_colors,
    open_results,
    says,
    shown,
    texts,
    tiles,
    visit,
)
from streamlit.testing.v1 import AppTest

from fmnist import settings
from fmnist.data import files
from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.store import Store, store_path

pytestmark = pytest.mark.usefixtures("bare_pages", "started")
REAL_DATA = files.data_root()  # Before a test puts another place there.


# --- Nothing, and what can't be used ---


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_without_runs_a_page_points_to_training(page):
    at = visit(page)
    assert says(at, "Nothing has been trained")
    assert at.get("page_link")[0].proto.label == "Train the three models"


@pytest.mark.parametrize(
    "page, download", [(TRAIN, "Download FashionMNIST (31 MB) and train"), (DATA, "Download FashionMNIST")]
)
def test_without_data_a_page_offers_download_and_folder(page, download, monkeypatch):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr(settings, "home", lambda: store_path().parent)  # A `data/` beside the tests must not count.
    at = visit(page)
    [where] = [text for text in shown(at, "caption") if "verified by checksum" in text]
    assert str(store_path().parent / "data" / "FashionMNIST" / "raw") in where
    assert {download, "Use this folder"} <= {*labels(at)}
    if page == DATA:
        [missing] = shown(at, "info")
        assert missing.startswith("FashionMNIST is not in") and is_one_sentence(missing)


@pytest.mark.parametrize("page", [TRAIN, DATA])
def test_a_folder_without_the_files_is_refused_in_a_sentence(page, monkeypatch, tmp_path):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr(settings, "home", lambda: tmp_path)
    for folder in (tmp_path / "nowhere", tmp_path, "a\0b"):
        at = visit(page)
        at.text_input[0].set_value(str(folder))
        [use] = [button for button in at.button if button.label == "Use this folder"]
        use.click()
        again(at)
        [error] = shown(at, "error")
        assert is_one_sentence(error)
        assert Store(store_path()).setting("data_root") is None


def test_a_folder_with_the_files_is_used_by_all_pages(monkeypatch, idx_root, tmp_path):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr(settings, "home", lambda: tmp_path / "project")
    at = visit(DATA)
    at.text_input[0].set_value(str(idx_root))
    [use] = [button for button in at.button if button.label == "Use this folder"]
    use.click()
    again(at)
    assert says(at, "431 grey pictures of clothes, 28 × 28 pixels: 331 to learn from, 100 to test.")
    assert not visit(TRAIN).button(key="train").disabled


def not_a_database(path: Path) -> None:
    path.write_text("These are not the runs you are looking for. " * 100)


def of_another_program(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE recipes (soup TEXT)")
    db.close()


def from_the_future(path: Path) -> None:
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def torn(path: Path) -> None:
    """The file's second half is lost, as by a disk that failed."""
    Store(path).close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096)


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file where a folder is needed")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("spoil", [not_a_database, of_another_program, from_the_future, torn, below_a_file])
def test_a_store_that_cannot_be_used_is_explained_in_a_sentence(page, spoil, runs_path):
    runs_path.parent.mkdir()
    spoil(runs_path)
    at = visit(page)
    [error] = shown(at, "error")
    assert is_one_sentence(error)
    assert str(runs_path.parent) in error
    assert "FMNIST_RUNS" in error or "move it away" in error


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_runs_of_a_store_that_was_replaced_are_not_shown(page, store, small_data):
    three_models(store, small_data, weights=True)
    assert not says(visit(page), "Nothing has been trained")
    store.close()
    for path in store.path.parent.glob("fmnist.db*"):
        path.unlink()
    Store(store.path).close()
    assert says(visit(page), "Nothing has been trained")


# --- Results ---


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_reference_runs_are_shown_and_marked(page, reference, fashion):
    everyone = [f"{architecture.name}, all seeds" for architecture in ARCHITECTURES.values()]
    at = visit(page, **({"runs-fashion-mnist-reference": everyone} if page == CONFUSION else {}))
    [marked] = [text for text in texts(at, "caption") if "Reference runs" in text]
    assert "SGD, lr 0.1, batch 32, 3 epochs" in marked
    assert "A processor" in marked
    assert not says(at, NOT_FASHION)
    assert "awaited" not in charts(at)
    for architecture in ARCHITECTURES.values() if page != PREDICT else ():  # It has no image yet.
        assert any(architecture.name in chart.alt for chart in charts(at).values())


def test_runs_need_the_test_images_only_where_these_are_shown(reference):
    for page in (HOME, COMPARE, PREDICT):
        assert says(visit(page), "Reference runs")
    assert says(visit(CONFUSION), "A confusion matrix needs the test set")
    assert "Download FashionMNIST" in labels(visit(CONFUSION))
    assert "Download FashionMNIST" in labels(visit(PREDICT, how="Test image"))


def test_without_runs_of_ones_own_train_has_nothing_to_show(reference, fashion):
    at = visit(TRAIN)
    assert says(at, "There is no training to show yet")
    assert not at.get("plotly_chart")


@pytest.mark.parametrize("page", [HOME, COMPARE])
def test_own_and_reference_runs_are_told_apart(page, reference, store, small_data):
    three_models(store, small_data)
    at = visit(page)
    assert at.button_group(key="source").value == "own"
    assert not says(at, "Reference runs")
    at.button_group(key="source").set_value("both")
    again(at)
    if page == COMPARE:
        titles = at.multiselect[0].options
        assert {"Model 0", "Model 0 · reference"} <= {*titles}
        at.multiselect[0].set_value([f"{id}" for id in ("1", "reference-1")])
        again(at)
        assert says(at, "Reference runs")


def test_a_model_that_is_not_trained_yet_is_named_on_home(store, small_data):
    finished_run(store, Recipe("1"), small_data)
    at = visit(HOME)
    assert says(at, "Model 0 and Model 2 are not trained yet")


def test_recipes_and_seeds_are_compared_with_their_spread(store, small_data, fashion):
    for seed, accuracy in enumerate((0.7, 0.75, 0.8)):
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy)
    finished_run(store, Recipe("0", epochs=5), small_data, accuracy=0.9)
    finished_run(store, Recipe("2", 0), small_data, accuracy=0.9)
    home = visit(HOME, show="All numbers").dataframe[0].value.set_index("model")
    assert home.loc["0", "spread"] == "70.0 to 80.0%, σ 5.0 (3 runs)"
    assert home.loc["0", "accuracy"] == pytest.approx(75)

    at = visit(COMPARE, tab="Table")
    assert at.multiselect[0].options == ["Model 0", "Model 0 · SGD, lr 0.1, batch 32, 5 epochs", "Model 2"]
    at.multiselect[0].set_value([*at.multiselect[0].value, "4"])
    again(at)
    table = at.dataframe[0].value.set_index("name")
    assert table.loc["Model 0", "seeds"] == "0 1 2"
    assert table.loc["Model 0", "accuracy_std"] == pytest.approx(0.05)
    assert len(table) == 3


def test_a_dead_run_is_counted_and_named(store, small_data, fashion):
    finished_run(store, Recipe("2", 0), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("2", 1), small_data, accuracy=0.9)
    finished_run(store, Recipe("1"), small_data, never=(2, 6))
    for page in (HOME, COMPARE):
        dead = "1 of 3 runs failed to learn (dead: it answers the same class for every image)"
        assert any(dead in text for text in shown(visit(page), "markdown"))
        assert any("Without it, Model 2 reaches 90." in text for text in shown(visit(page), "markdown"))
    remarks = {*open_results(visit(TRAIN), "fashion-mnist")["trouble"]}
    assert remarks == {
        "",
        "failed to learn (dead): it answers the same class for every image",
        "never predicts Pullover, Shirt",
    }
    assert visit(COMPARE, tab="Table").dataframe[0].value.set_index("name").loc["Model 2", "dead"] == 1
    at = visit(CONFUSION, runs=["Model 2, seed 0"])
    assert not at.exception


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_sample_data_is_never_mixed_with_fashion_mnist(page, store, small_data, small_sample, fashion):
    fashion_runs = three_models(store, small_data, weights=True)
    sample_runs = three_models(store, small_data, weights=True, dataset="sample", epochs=1)
    at = visit(page)
    assert not says(at, NOT_FASHION)
    assert not shown_runs(at) & {run.address for run in sample_runs}
    at.button_group(key="data").set_value("sample")
    again(at)
    assert says(at, NOT_FASHION)
    assert not shown_runs(at) & {run.address for run in fashion_runs}


def shown_runs(at: AppTest) -> set[str]:
    """Addresses of runs that can be seen or chosen on a page."""
    chosen = {value for box in at.multiselect for value in box.value}
    tables = {value for table in at.dataframe if "id" in table.value for value in table.value["id"]}
    return chosen | tables


def test_the_data_page_marks_sample_data(small_sample):
    at = visit(DATA, **SAMPLE)
    assert says(at, NOT_FASHION)
    assert says(at, "331 to learn from") and says(at, "Computer-drawn clothes")


@pytest.mark.parametrize("page", PAGES)
def test_every_chart_has_a_text_alternative_and_the_models_colours(page, store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    finished_run(store, Recipe("0", epochs=4), small_data, weights=True)
    at = visit(page, how="Test image", part="Counts")
    assert charts(at) or live_curves(at) or page == PREDICT  # Its bars are tables.
    colored = 0
    for curves in live_curves(at).values():
        for run in curves["runs"]:
            assert run["name"] in curves["alt"]
            [architecture] = [known for known in ARCHITECTURES.values() if run["name"].startswith(known.name)]
            assert run["color"] == architecture.color
            colored += 1
    for key, chart in charts(at).items():
        assert len(chart.alt) > 20, key
        for name, colors in model_colors(key, chart).items():
            [architecture] = [known for known in ARCHITECTURES.values() if known.name == name]
            assert colors == {architecture.color.upper()}, (key, name)
            colored += 1
    assert colored >= (3 if page not in (CONFUSION, PREDICT, DATA) else 0)  # Those draw classes, not models.
    assert all(table.proto.alt for table in at.dataframe)


# --- Addresses ---


def test_a_link_restores_what_is_compared(store, small_data, fashion):
    three_models(store, small_data)
    compared = {"groups-fashion-mnist-own": ["Model 0", "Model 2"]}
    at = visit(COMPARE, **compared, tab="Learning", split="Training images", axis="Seconds", lines="true")
    assert at.multiselect[0].value == ["1", "3"]
    assert says(at, "People (crowd) 83.5%")
    assert charts(at)["learning-loss"].alt.startswith("Training images: loss by seconds")
    at = visit(COMPARE, **compared, tab="Time and size", cost="Multiply-adds")
    assert charts(at)["accuracy-against-cost"].alt.startswith("Test accuracy against multiply-adds")


def test_a_link_restores_a_cell_and_its_images(store, small_data, fashion):
    runs = three_models(store, small_data)
    compared = {"runs-fashion-mnist-own": [f"{model.name}, seed 0" for model in ARCHITECTURES.values()]}
    at = visit(CONFUSION, cells="Share of the true class", true="Sneaker", predicted="Sandal", **compared)
    assert at.button_group(key="cells").value == "shares"
    row, column = CLOTHES.classes.index("Sneaker"), CLOTHES.classes.index("Sandal")
    predictions = np.argmax(store.logits(runs[0].id), axis=1)
    count = np.count_nonzero((small_data.test_labels == row) & (predictions == column))
    assert count > 1
    assert says(at, f"**Sneaker** mistaken for **Sandal**, {count} images")
    captions = tiles(at)
    assert len(captions) == count
    assert all("✗ Model 0: Sandal" in caption for caption in captions)


def test_a_link_restores_data_class_and_set(small_sample):
    at = visit(DATA, **SAMPLE, split="Test", **{"class": "Bag"})
    assert at.selectbox(key="class").value == "Bag"
    assert at.button_group(key="split").value == "Test"
    bags = np.flatnonzero(small_sample.test_labels == CLOTHES.classes.index("Bag"))
    [shown] = [block.proto.body for block in at.get("html") if 'class="tiles small"' in block.proto.body]
    assert shown.count("<figure>") == len(bags)
    assert f"#{bags[0]}<" in shown


@pytest.mark.parametrize("page", PAGES)
def test_a_link_with_nonsense_shows_the_page_as_without(page, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    names = ("data", "source", "groups-fashion-mnist-own", "runs-fashion-mnist-own", "true", "index", "how", "class")
    nonsense = dict.fromkeys(names, "no <such> thing")
    at = visit(page, **nonsense)
    assert not at.error
    pictures = [block for block in at.get("html") if 'class="strips"' in block.proto.body]
    assert pictures if page == DATA else charts(at) or live_curves(at) or page == PREDICT


# --- With the real images ---


def test_the_data_page_shows_fashion_mnist(real_data, monkeypatch):
    monkeypatch.setenv("FMNIST_DATA", str(REAL_DATA))
    at = visit(DATA)
    assert says(at, "70,000 grey pictures of clothes, 28 × 28 pixels: 60,000 to learn from, 10,000 to test.")
    assert says(at, "Ten classes of equal size.") and says(at, "Xiao, Rasul and Vollgraf (2017)")
    assert {*charts(visit(DATA, part="Counts"))} == {"counts"}
