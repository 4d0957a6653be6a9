"""Every page in each of its states, by Streamlit's AppTest: real pages, a real store, no browser and no training."""

from __future__ import annotations

import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import making
import numpy as np
import pytest
from conftest import is_one_sentence
from making import ended_run, finished_run, queued_run, running_run, three_models
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button
from ui import PAGES, again, charts, labels, live_curves, model_colors, says, texts, traces, visit

from fmnist import answer_panel, data, export_panel, images, trainer, widgets
from fmnist.data import Dataset
from fmnist.datasets import CLOTHES
from fmnist.export import FORMATS
from fmnist.images import to_png
from fmnist.library import Group, Library
from fmnist.models import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.run import Run
from fmnist.store import Store, pack, store_path

HOME, TRAIN, COMPARE, CONFUSION, PREDICT, DATA = PAGES
RESULT_PAGES = (HOME, COMPARE, CONFUSION, PREDICT)
REAL_DATA = data.data_root()  # Before a test puts another place there.
NOT_FASHION = "This is not FashionMNIST"
SAMPLE = {"data": "Sample data"}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data but what a test makes, and no reference runs."""
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "no-data"))
    monkeypatch.setattr(widgets, "Library", lambda own: Library(own, None))


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stores for which a page would have started a trainer; none is started."""
    stores: list[Path] = []
    monkeypatch.setattr(trainer, "start", lambda runs: stores.append(runs.path))
    return stores


@pytest.fixture
def fashion(idx_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FashionMNIST is there, as far as the pages can tell."""
    monkeypatch.setenv("FMNIST_DATA", str(idx_root))


@pytest.fixture
def linkless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that AppTest opens by itself, for the sake of its query, knows no other pages to link to."""
    monkeypatch.setattr("streamlit.page_link", lambda *_, **__: None)


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_data: Dataset) -> Path:
    """A file with reference runs, two seeds of each model."""
    path = tmp_path / "reference.db"
    runs = Store(path)
    for seed in (0, 1):
        three_models(runs, small_data, weights=True, seed=seed)
    runs.close()
    monkeypatch.setattr(widgets, "Library", lambda own: Library(own, path))
    return path


@pytest.fixture
def at_work(store: Store) -> Iterator[None]:
    """A trainer seems to work on the store: its lock is held."""
    with trainer._held(trainer._lock(store.path)) as held:
        assert held
        yield


# --- Nothing, and what can't be used ---


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_without_runs_a_page_points_to_training(page):
    at = visit(page)
    assert says(at, "Nothing is trained yet")
    assert at.get("page_link")[0].proto.label == "Train the three models"


@pytest.mark.parametrize("page", [TRAIN, DATA])
def test_without_data_a_page_offers_download_and_folder(page, monkeypatch):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr("fmnist.data.PROJECT", store_path().parent)  # A `data/` in the project must not count.
    at = visit(page)
    [missing] = texts(at, "info")
    assert missing.startswith("FashionMNIST is not in")
    assert is_one_sentence(missing)
    assert {"Download FashionMNIST", "Use this folder"} <= {*labels(at)}


def test_without_data_training_is_possible_on_the_sample_data_alone(small_sample, started):
    at = visit(TRAIN)
    [train] = [button for button in at.button if button.label == "Train"]
    assert train.disabled
    at.button_group(key="dataset").set_value("sample")
    again(at)
    assert not at.button(key="train").disabled
    assert not at.info


@pytest.mark.parametrize("page", [TRAIN, DATA])
def test_a_folder_without_the_files_is_refused_in_a_sentence(page, monkeypatch, tmp_path):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr("fmnist.data.PROJECT", tmp_path)
    for folder in (tmp_path / "nowhere", tmp_path, "a\0b"):
        at = visit(page)
        at.text_input[0].set_value(str(folder))
        [use] = [button for button in at.button if button.label == "Use this folder"]
        use.click()
        again(at)
        [error] = texts(at, "error")
        assert is_one_sentence(error)
        assert Store(store_path()).setting("data_root") is None


def test_a_folder_with_the_files_is_used_by_all_pages(monkeypatch, idx_root, tmp_path):
    monkeypatch.delenv("FMNIST_DATA")
    monkeypatch.setattr("fmnist.data.PROJECT", tmp_path / "project")
    at = visit(DATA)
    at.text_input[0].set_value(str(idx_root))
    [use] = [button for button in at.button if button.label == "Use this folder"]
    use.click()
    again(at)
    assert says(at, "331 images to learn from and 100 to be tested on")
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
    [error] = texts(at, "error")
    assert is_one_sentence(error)
    assert str(runs_path.parent) in error
    assert "FMNIST_RUNS" in error or "move it away" in error


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_runs_of_a_store_that_was_replaced_are_not_shown(page, store, small_data):
    three_models(store, small_data, weights=True)
    assert not says(visit(page), "Nothing is trained yet")
    store.close()
    for path in store.path.parent.glob("fmnist.db*"):
        path.unlink()
    assert says(visit(page), "Nothing is trained yet")


# --- Results ---


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_reference_runs_are_shown_and_marked(page, reference, fashion):
    at = visit(page)
    [marked] = [text for text in texts(at, "caption") if "Reference runs" in text]
    assert "SGD, lr 0.1, batch 32, 3 epochs" in marked
    assert "A processor" in marked
    assert not says(at, NOT_FASHION)
    for architecture in ARCHITECTURES.values() if page != PREDICT else ():  # It has no image yet.
        assert any(architecture.name in chart.alt for chart in charts(at).values())


def test_reference_runs_need_no_data_but_where_images_are_shown(reference):
    for page in (HOME, COMPARE, PREDICT):
        assert says(visit(page), "Reference runs")
    assert says(visit(CONFUSION), "A confusion matrix needs the test set")
    assert "Download FashionMNIST" in labels(visit(CONFUSION))
    assert "Download FashionMNIST" in labels(visit(PREDICT, how="Test image"))


def test_without_runs_of_ones_own_train_has_nothing_to_show(reference, fashion):
    at = visit(TRAIN)
    assert says(at, "Nothing is trained yet on this machine")
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
    assert says(at, "Model 0 and Model 2 not trained yet")


def test_recipes_and_seeds_are_compared_with_their_spread(store, small_data, fashion):
    for seed, accuracy in enumerate((0.7, 0.75, 0.8)):
        finished_run(store, Recipe("0", seed), small_data, accuracy=accuracy)
    finished_run(store, Recipe("0", epochs=5), small_data, accuracy=0.9)
    finished_run(store, Recipe("2", 0), small_data, accuracy=0.9)
    home = visit(HOME).dataframe[0].value.set_index("model")
    assert home.loc["0", "spread"] == "70.0 to 80.0%, σ 5.0 (3 seeds)"
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
        assert says(
            visit(page), "1 of the runs is dead, giving one class for every image; without it Model 2 reaches 90."
        )
    remarks = {*visit(TRAIN).dataframe[0].value["trouble"]}
    assert remarks == {"", "dead: it gives every image the same class", "never predicts Pullover, Shirt"}
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
    assert says(at, "331 images to learn from")


@pytest.mark.parametrize("page", PAGES)
def test_every_chart_has_a_text_alternative_and_the_models_colours(page, store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    finished_run(store, Recipe("0", epochs=4), small_data, weights=True)
    at = visit(page, how="Test image")
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


@pytest.mark.usefixtures("linkless")
def test_a_link_restores_what_is_compared(store, small_data, fashion):
    three_models(store, small_data)
    compared = {"groups-fashion-mnist-own": ["Model 0", "Model 2"]}
    at = visit(COMPARE, **compared, tab="Learning", split="Training images", axis="Seconds", lines="true")
    assert at.multiselect[0].value == ["1", "3"]
    assert says(at, "People (crowd) 83.5%")
    assert charts(at)["learning-loss"].alt.startswith("Training loss by seconds")
    at = visit(COMPARE, **compared, tab="Time and size", cost="Multiply-adds")
    assert charts(at)["accuracy-against-cost"].alt.startswith("Test accuracy against multiply-adds")


def test_a_link_restores_a_cell_and_its_images(store, small_data, fashion):
    runs = three_models(store, small_data)
    at = visit(CONFUSION, cells="Share of the true class", true="Sneaker", predicted="Sandal")
    assert at.button_group(key="cells").value == "shares"
    row, column = CLOTHES.classes.index("Sneaker"), CLOTHES.classes.index("Sandal")
    predictions = np.argmax(store.logits(runs[0].id), axis=1)
    count = np.count_nonzero((small_data.test_labels == row) & (predictions == column))
    assert count > 1
    assert says(at, f"**Sneaker** taken for **Sandal**, {count} images")
    [tiles] = [block.proto.body for block in at.get("html") if "<figure>" in block.proto.body]
    assert tiles.count("<figure>") == count
    assert tiles.count("✗ Model 0: Sandal") == 2 * count  # In the caption and in the text alternative.


def test_a_link_restores_data_class_and_set(small_sample):
    at = visit(DATA, **SAMPLE, split="Test", **{"class": "Bag"})
    assert at.selectbox(key="class").value == "Bag"
    assert at.button_group(key="split").value == "Test"
    bags = np.flatnonzero(small_sample.test_labels == CLOTHES.classes.index("Bag"))
    [shown] = [block.proto.body for block in at.get("html") if 'class="tiles small"' in block.proto.body]
    assert shown.count("<figure>") == len(bags)
    assert f"#{bags[0]}<" in shown


@pytest.mark.usefixtures("linkless")
@pytest.mark.parametrize("page", PAGES)
def test_a_link_with_nonsense_shows_the_page_as_without(page, store, small_data, fashion):
    three_models(store, small_data, weights=True)
    names = ("data", "source", "groups-fashion-mnist-own", "runs-fashion-mnist-own", "true", "index", "how", "class")
    nonsense = dict.fromkeys(names, "no <such> thing")
    at = visit(page, **nonsense)
    assert not at.error
    assert charts(at) or live_curves(at) or page == PREDICT


# --- Train ---


def test_train_queues_each_chosen_model_and_seed_once(small_sample, started, store):
    at = train_page_for_sample()
    at.button_group(key="models").set_value(["0", "2"])
    at.number_input(key="seeds").set_value(2)
    at.text_input(key="epochs").set_value("1")
    at.button_group(key="optimizer").set_value(["adam"])
    at.text_input(key="rate").set_value("0.01")
    again(at)
    at.button(key="train").click()
    again(at)
    wanted = [
        Recipe(model, seed, "sample", epochs=1, learning_rate=0.01, optimizer="adam")
        for model in "02"
        for seed in (0, 1)
    ]
    queued = store.runs("queued")
    assert sorted((run.recipe for run in queued), key=lambda recipe: (recipe.model, recipe.seed)) == wanted
    assert [run.key for run in queued] == [run.recipe.key(small_sample.fingerprint) for run in queued]
    assert set(started) == {store.path}
    assert says(at, "Queued: Model 0, seed 0")
    at.button(key="train").click()
    again(at)
    assert len(store.runs()) == 4


def test_what_is_trained_already_is_not_trained_again_unless_asked(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    assert says(at, "All of it is trained already with this recipe")
    at.button(key="train").click()
    again(at)
    assert len(store.runs()) == 3
    assert says(at, "All of this is trained already")
    at.toggle(key="again").set_value(True)
    again(at)
    assert says(at, "3 runs, roughly")
    at.button(key="train").click()
    again(at)
    assert started
    assert len(store.runs("queued")) == 3


def test_what_is_left_of_a_recipe_is_promised(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    at.number_input(key="seeds").set_value(3)
    again(at)
    assert says(at, "3 of 9 trained already, shown at once. 6 runs, roughly")


def test_without_a_model_nothing_can_be_trained(small_sample):
    at = train_page_for_sample()
    at.button_group(key="models").set_value([])
    again(at)
    assert at.button(key="train").disabled
    assert says(at, "Choose at least one model.")


def test_another_recipe_than_the_published_one_is_named(small_sample):
    at = train_page_for_sample()
    assert not says(at, "Not the published recipe")
    at.text_input(key="epochs").set_value("7")
    again(at)
    assert says(at, "Not the published recipe: SGD, lr 0.1, batch 32, 7 epochs.")


def test_lists_make_a_sweep_whose_grid_is_shown_before_it_starts(small_sample, started, store):
    three_models(store, small_sample, dataset="sample")
    at = train_page_for_sample()
    assert "grid" not in {expander.key for expander in at.expander if hasattr(expander, "key")}
    at.button_group(key="models").set_value(["0", "2"])
    at.text_input(key="rate").set_value("0.1, 1e-2, .01")
    at.text_input(key="batch").set_value("32 64")
    at.number_input(key="seeds").set_value(2)
    again(at)
    assert says(at, "2 models × 2 learning rates × 2 batch sizes × 2 seeds = 16 runs. 2 of 16 trained already")
    assert says(at, "14 runs, roughly")
    assert not store.runs("queued")
    at.session_state["grid"] = True
    again(at)
    table = next(table.value for table in at.dataframe if "trained" in table.value)
    assert len(table) == 8 and {*table["seeds"]} == {2} and table["trained"].sum() == 2
    assert table["seconds"].notna().all()
    at.button(key="train").click()
    again(at)
    queued = {run.recipe for run in store.runs("queued")}
    assert len(queued) == 14
    assert {(r.model, r.learning_rate, r.batch_size) for r in queued} == {
        (model, rate, size) for model in "02" for rate in (0.1, 0.01) for size in (32, 64)
    }
    assert says(at, "Queued: Model 0, lr 0.1, batch 64, seed 0, ")


@pytest.mark.parametrize(
    "key, text, words",
    [
        ("rate", "0.1, fast", "is not a number"),
        ("rate", "", "A value is missing"),
        ("rate", "0.1, 0", "The learning rate must be over 0"),
        ("batch", "32, 1.5", "is not a whole number"),
        ("epochs", "0", "The number of epochs must be a whole number from 1"),
        ("rate", "<b>", "is not a number"),
    ],
)
def test_a_list_that_cannot_be_used_is_explained_in_a_sentence(key, text, words, small_sample, started, store):
    at = train_page_for_sample()
    at.text_input(key=key).set_value(text)
    again(at)
    [error] = texts(at, "error")
    assert words in error and is_one_sentence(error)
    assert at.button(key="train").disabled


def test_a_grid_that_is_too_large_is_refused_in_a_sentence(small_sample):
    at = train_page_for_sample()
    at.number_input(key="seeds").set_value(20)
    at.text_input(key="rate").set_value(", ".join(f"0.{n}" for n in range(10, 40)))
    again(at)
    [error] = texts(at, "error")
    assert "1,800 runs" in error and is_one_sentence(error)
    assert at.button(key="train").disabled


def test_a_sweep_without_an_optimiser_cannot_be_trained(small_sample):
    at = train_page_for_sample()
    at.button_group(key="optimizer").set_value([])
    again(at)
    assert says(at, "Choose at least one optimiser.") and at.button(key="train").disabled


def train_page_for_sample() -> AppTest:
    at = visit(TRAIN)
    at.button_group(key="dataset").set_value("sample")
    return again(at)


def test_running_and_queued_runs_are_shown_with_progress(store, small_data, at_work):
    running_run(store, Recipe("0"), small_data)
    queued_run(store, Recipe("2"), small_data)
    at = visit(TRAIN)
    [progress] = at.get("progress")
    assert progress.proto.value == 33
    assert "epoch 2 of 3 · step 8 of 24 · 1,000 images/s" in progress.proto.text
    assert says(at, "Queued: Model 2, seed 0")
    [drawn] = live_curves(at)["fashion-mnist"]["runs"][:1]
    assert drawn["name"] == "Model 0, seed 0"
    assert len(drawn["train"]["step"]) == making.STEPS_PER_EPOCH
    assert drawn["test"]["accuracy"] == [0.5]
    assert texts(at, "subheader") == ["Training now"]


def test_curves_of_sample_data_stand_by_themselves(store, small_data, at_work):
    running_run(store, Recipe("0"), small_data)
    assert not says(visit(TRAIN), NOT_FASHION)
    running_run(store, Recipe("1", dataset="sample"), small_data)
    at = visit(TRAIN)
    assert says(at, NOT_FASHION)
    drawn = {data: {run["name"] for run in curves["runs"]} for data, curves in live_curves(at).items()}
    assert drawn == {"fashion-mnist": {"Model 0, seed 0"}, "sample": {"Model 1, seed 0"}}


def test_stop_reaches_the_store(store, small_data, at_work):
    running = running_run(store, Recipe("0"), small_data)
    queued = queued_run(store, Recipe("2"), small_data)
    at = visit(TRAIN)
    at.button(key="stop-queued").click()
    again(at)
    assert store.run(queued).status == "cancelled"
    assert not store.run(running).stop
    at.button(key=f"stop-{running}").click()
    again(at)
    assert store.run(running).stop
    assert at.button(key=f"stop-{running}").disabled
    assert at.button(key=f"stop-{running}").label == "Stopping …"


def test_stop_all_reaches_every_active_run(store, small_data, at_work):
    running = running_run(store, Recipe("0"), small_data)
    queued = [queued_run(store, Recipe(model), small_data) for model in "12"]
    at = visit(TRAIN)
    at.button(key="stop-all").click()
    again(at)
    assert store.run(running).stop
    assert [store.run(id).status for id in queued] == ["cancelled", "cancelled"]


@pytest.fixture
def sweep(store: Store, small_data: Dataset, at_work: None) -> list[int]:
    """Of a sweep of 1,000 runs 20 are done, 2 have failed, 2 are running; the ids of the others."""
    recipes = [Recipe("0", seed, learning_rate=rate / 1000) for rate in range(1, 51) for seed in range(20)]
    for recipe in recipes[:20]:
        finished_run(store, recipe, small_data)
    for recipe in recipes[20:22]:
        ended_run(store, recipe, small_data, "failed", "The loss is not a finite number any more.")
    for recipe in recipes[22:24]:
        running_run(store, recipe, small_data)
    queued = store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes[24:]], Path("/"))
    with store._write() as db:  # As if all of it had been asked for by one click, however slow this machine is.
        db.execute("UPDATE runs SET created = 1.0")
    return [id for id, _ in queued]


def test_of_a_large_sweep_only_a_part_is_drawn_and_the_whole_is_said(store, small_data, sweep, fashion):
    at = visit(TRAIN)
    whole, *single = at.get("progress")
    assert whole.proto.text.startswith("**22 of 1,000 runs** · 20 done · 2 running · 976 queued · 2 failed · roughly ")
    assert whole.proto.value == 2
    assert [bar.proto.text.partition(" · ")[0] for bar in single] == [
        f"**Model 0, lr 0.002, seed {seed}**" for seed in (2, 3)
    ]
    assert says(at, "Queued: Model 0, lr 0.002, seed 4, ") and says(at, " and 968 more")
    drawn = live_curves(at)["fashion-mnist"]["runs"]
    assert len(drawn) == 12
    assert {run["name"] for run in drawn[-2:]} == {f"Model 0, lr 0.002, seed {seed}" for seed in (2, 3)}
    assert {run["group"] for run in drawn} == {"Model 0, lr 0.001", "Model 0, lr 0.002"}
    [results] = [table.value for table in at.dataframe if "trouble" in table.value]
    assert len(results) == 20


def test_all_of_a_large_sweep_is_stopped_and_resumed_at_once(store, sweep, fashion, started):
    at = visit(TRAIN)
    at.button(key="stop-all").click()
    again(at)
    assert len(store.runs("cancelled")) == len(sweep) and all(run.stop for run in store.runs("running"))
    assert says(at, "And 970 more that were stopped or went wrong.")
    assert [button.key for button in at.button if button.key and button.key.startswith("resume-")][-1] == "resume-all"
    at.button(key="resume-all").click()
    again(at)
    assert [run.id for run in store.runs("queued")] == sweep and set(started) == {store.path}


def test_what_a_dead_trainer_left_is_interrupted_and_can_be_resumed(store, small_data, started):
    id = running_run(store, Recipe("0"), small_data)  # Nobody holds the trainer's lock.
    at = visit(TRAIN)
    at = again(at)
    assert says(at, "**Model 0, seed 0** · interrupted at step 8 of 24")
    at.button(key=f"resume-{id}").click()
    again(at)
    assert store.run(id).status == "queued"
    assert set(started) == {store.path}


def test_ended_runs_say_how_and_why(store, small_data, started):
    interrupted = ended_run(store, Recipe("0"), small_data, "interrupted", "The disk is full: *all* of it.")
    cancelled = ended_run(store, Recipe("1"), small_data, "cancelled")
    failed = ended_run(store, Recipe("2"), small_data, "failed", "The loss is not a finite number any more.")
    at = visit(TRAIN)
    assert says(at, r"interrupted at step 8 of 24 · The disk is full\: \*all\* of it.")
    assert says(at, "**Model 1, seed 0** · stopped at step 8 of 24")
    assert says(at, "failed at step 8 of 24 · The loss is not a finite number any more.")
    keys = {button.key for button in at.button}
    assert {f"resume-{interrupted}", f"resume-{cancelled}"} <= keys
    assert f"resume-{failed}" not in keys


@pytest.mark.parametrize("page", RESULT_PAGES)
def test_unfinished_runs_are_no_results(page, store, small_data, at_work):
    for status in ("interrupted", "cancelled", "failed"):
        ended_run(store, Recipe("0"), small_data, status)
    running_run(store, Recipe("1"), small_data)
    queued_run(store, Recipe("2"), small_data)
    assert says(visit(page), "Nothing is trained yet")


def test_queued_runs_without_a_trainer_can_be_given_one(store, small_data, started):
    queued_run(store, Recipe("0"), small_data)
    trainer.log_path(store.path).write_text("one line\nPyTorch can't be loaded.\n")
    at = visit(TRAIN)
    assert says(at, "The trainer is starting. PyTorch can't be loaded.")
    at.button(key="start-trainer").click()
    again(at)
    assert set(started) == {store.path}


def test_deleting_asks_first_and_then_deletes(store, small_data):
    runs = three_models(store, small_data)
    at = visit(TRAIN)
    assert delete_button(at).disabled
    at = ask_to_delete(at, 0)  # The newest stands first.
    assert says(at, "Delete Model 2, seed 0 with curves and weights?")
    assert len(store.runs()) == 3
    agree_to_delete(at)
    assert [run.id for run in store.runs()] == [run.id for run in runs[:2]]


def test_what_is_being_trained_is_not_deleted(store, small_data, at_work):
    id = running_run(store, Recipe("0"), small_data)
    at = agree_to_delete(ask_to_delete(visit(TRAIN), 0))
    assert says(at, "can't be deleted while it is trained")
    assert store.run(id).status == "running"


def delete_button(at: AppTest) -> Button:
    return next(button for button in at.button if button.label == "Delete" and button.key is None)


def ask_to_delete(at: AppTest, *rows: int) -> AppTest:
    at.session_state["all-runs"] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    again(at)
    delete_button(at).click()
    return again(at)


def agree_to_delete(at: AppTest) -> AppTest:
    delete_button(at).click()  # AppTest always runs the whole page, which has to open the dialog again.
    at.button(key="really-delete").click()
    return again(at)


# --- Predict ---


def answers(at: AppTest) -> dict[str, str]:
    """The answer that stands over the bars of each model."""
    found = (re.fullmatch(r"(Model .*)  \n\*\*(.*)\*\*, \d+%", text) for text in texts(at, "markdown"))
    return {match[1]: match[2] for match in found if match}


def bars(at: AppTest) -> list[str]:
    """The tables of probabilities, as HTML."""
    return [part.proto.body for part in at.get("html") if 'class="bars"' in part.proto.body]


EVERY_MODEL = {architecture.name for architecture in ARCHITECTURES.values()}


def test_every_model_answers_for_a_test_image(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="7")
    assert at.number_input(key="index").value == 7
    assert says(at, f"It is **{CLOTHES.classes[small_data.test_labels[7]]}**.")
    assert {*answers(at)} == EVERY_MODEL
    assert says(at, "2 seeds say so") and says(at, " ms for 2 seeds")
    at.button(key="surprise").click()
    again(at)
    assert 0 <= at.number_input(key="index").value < 100


def test_the_bars_of_a_model_are_its_probabilities_in_its_colour(store, small_data, fashion):
    runs = [*three_models(store, small_data, weights=True), *three_models(store, small_data, weights=True, seed=1)]
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    groups = library.groups("fashion-mnist")
    from fmnist import prediction

    for group, table in zip(groups, bars(at), strict=True):
        mean = prediction.probabilities(library, group, small_data.test_images[[3]]).mean(axis=0)[0]
        assert ARCHITECTURES[group.recipe.model].color in table
        assert re.findall(r"<td>(\d+%)</td>", table) == [f"{value:.0%}" for value in mean]
        assert re.findall(r"<b style=\"width: ([\d.]+%)", table) == [f"{value:.1%}" for value in mean]
        assert table.count('class="top"') == 1
    assert len(runs) == 6 and len(groups) == 3


def test_one_run_answers_alone_if_it_is_chosen(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, weights=True, seed=seed)
    at = visit(PREDICT, how="Test image", index="3")
    library = Library(store, None)
    group = library.groups("fashion-mnist")[0]
    at.selectbox(key=f"run-{group.id}").set_value("Seed 1")
    again(at)
    from fmnist import prediction

    alone = prediction.probabilities(library, group, small_data.test_images[[3]])[1, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in alone]
    assert answers(at)["Model 0"] == CLOTHES.classes[alone.argmax()]


def test_a_test_image_is_found_by_class_and_by_who_gets_it_wrong(store, small_data, fashion):
    [run, *_] = three_models(store, small_data, weights=True)
    labels, said = small_data.test_labels, np.argmax(store.logits(run.id), axis=1)
    at = visit(PREDICT, how="Test image", index="0")
    at.selectbox(key="class").set_value("Bag")
    again(at)
    assert labels[at.number_input(key="index").value] == CLOTHES.classes.index("Bag")
    at.selectbox(key="wrong").set_value("Model 0")
    at.selectbox(key="class").set_value(None)
    again(at)
    for _ in range(3):
        index = at.number_input(key="index").value
        assert said[index] != labels[index]
        at.button(key="surprise").click()
        again(at)
    assert at.button(key="surprise").label == f"Another of these {np.count_nonzero(said != labels)}"


def test_a_link_holds_the_image_and_how_it_was_found(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="9", **{"class": "Coat", "wrong": "Model 2"})
    assert at.number_input(key="index").value == 9
    assert (at.selectbox(key="class").value, at.selectbox(key="wrong").value) == ("Coat", "Model 2")


def test_what_if_the_image_were_different(store, small_data, fashion):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Test image", index="3")
    before = bars(at)
    assert at.button(key="what-reset").disabled and not says(at, "Changed by the sliders")
    at.slider(key="what-dx").set_value(9)
    at.slider(key="what-angle").set_value(90)
    at.toggle(key="what-invert").set_value(True)
    again(at)
    assert bars(at) != before and says(at, "Changed by the sliders")
    library = Library(store, None)
    from fmnist import prediction

    changed = images.change(small_data.test_images[3], dx=9, angle=90, invert=True)
    mean = prediction.probabilities(library, library.groups("fashion-mnist")[0], changed[None])[0, 0]
    assert re.findall(r"<td>(\d+%)</td>", bars(at)[0]) == [f"{value:.0%}" for value in mean]
    at.button(key="what-reset").click()
    again(at)
    assert bars(at) == before


def upload(at: AppTest, **files: bytes) -> AppTest:
    at.file_uploader(key="file").set_value([(f"{name}.png", content, "image/png") for name, content in files.items()])
    return again(at)


def test_an_uploaded_picture_is_answered(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    assert says(at, "The models' answers appear here.")
    upload(at, boot=to_png(small_data.test_images[0], 8))
    assert {*answers(at)} == EVERY_MODEL


def test_the_steps_of_the_conversion_are_shown_with_a_plain_resize(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload", conversion="true")
    upload(at, boot=to_png(255 - small_data.test_images[0], 8))
    strip = next(part.proto.body for part in at.get("html") if 'class="steps"' in part.proto.body)
    names = re.findall(r"<figcaption>(.*?)</figcaption>", strip)
    assert names == ["Picture", "Trimmed", "Resized", "Extended", "Negated", "Grey", "Stretched", "Plain resize"]
    assert says(at, "From the plain resize, squashed and not negated: ")
    before = bars(at)
    at.get("button_group")[-1].set_value(["sharpen", "negate"])
    again(at)
    strip = next(part.proto.body for part in at.get("html") if 'class="steps"' in part.proto.body)
    names = re.findall(r"<figcaption>(.*?)</figcaption>", strip)
    assert names == ["Picture", "Squashed", "Sharpened", "Negated", "Grey", "Plain resize"]
    assert bars(at) != before


def test_many_pictures_are_answered_in_a_table(store, small_data):
    three_models(store, small_data, weights=True)
    at = visit(PREDICT, how="Upload")
    upload(at, one=to_png(small_data.test_images[0], 8), two=b"not a picture", three=to_png(small_data.test_images[1]))
    assert says(at, "2 of 3 pictures answered")
    table = at.dataframe[0].value
    assert table["file"].tolist() == ["one.png", "two.png", "three.png"]
    assert table["Model 2"].isna().tolist() == [False, True, False]
    assert {*table["Model 2"].dropna()} <= {*CLOTHES.classes}
    assert table["Model 2, probability"].dropna().between(0.1, 1).all()
    assert is_one_sentence(table["remarks"][1])
    [refused] = texts(at, "error")
    assert refused.startswith("- two.png: ")
    assert not answers(at)


def test_a_drawing_is_answered_and_what_is_none_is_refused_in_a_sentence(store, small_data):
    three_models(store, small_data, weights=True)
    assert says(visit(PREDICT), "Draw one piece of clothing, and fill it")
    box = {"kind": "box", "points": [[90, 40], [190, 240]], "shade": 34, "width": 24}
    at = drawn([box])
    assert {*answers(at)} == EVERY_MODEL
    assert not says(at, "Draw one piece of clothing")
    [error] = texts(drawn([box | {"kind": "spray"}]), "error")
    assert is_one_sentence(error)


def drawn(strokes: list[dict]) -> AppTest:
    """The page Predict of somebody who has drawn this on an earlier visit."""
    at = visit(DATA)
    at.session_state["drawing"] = strokes
    at.switch_page(PREDICT)
    return again(at)


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(store, small_data):
    three_models(store, small_data, weights=True)
    at = upload(visit(PREDICT, how="Upload"), boot=b"not a picture at all")
    [error] = texts(at, "error")
    assert is_one_sentence(error)
    assert not answers(at)


def test_an_empty_picture_is_refused_in_a_sentence(store, small_data, tmp_path):
    three_models(store, small_data, weights=True)
    Image.new("RGB", (60, 60), "white").save(tmp_path / "white.png")
    at = upload(visit(PREDICT, how="Upload"), white=(tmp_path / "white.png").read_bytes())
    [error] = texts(at, "error")
    assert is_one_sentence(error)


@pytest.mark.parametrize(
    "tops, words",
    [
        ([[1, 1], [1, 1], [1, 1]], "All models say **Trouser**, with all their 6 seeds."),
        ([[1, 1], [1, 2], [1, 1]], "All models say **Trouser**, with 5 of their 6 seeds."),
        ([[1], [1], [1]], "All models say **Trouser**."),
        ([[1], [1], [2]], "Two of three say **Trouser**, but Model 2 says **Pullover**."),
        (
            [[1], [2], [3]],
            "They disagree: Model 0 says **Trouser**, Model 1 says **Pullover** and Model 2 says **Dress**.",
        ),
        ([[1], [2]], "They disagree: Model 0 says **Trouser** and Model 1 says **Pullover**."),
        ([[1]], "Model 0 says **Trouser**."),
    ],
)
def test_the_verdict_in_a_sentence(tops, words):
    given = []
    for model, seeds in enumerate(tops):
        # The first seed is the surest: it decides what the mean says.
        values = np.stack([np.eye(10)[top] * (0.9 - seed / 10) for seed, top in enumerate(seeds)])
        group = Group("own", Recipe(str(model)), "", (), f"Model {model}")
        given.append(answer_panel.Answer(group, values, 0.001))
    assert answer_panel.verdict(given) == words
    assert answer_panel.verdict(given, 8) == f"{words} It is **Bag**."


@pytest.mark.parametrize("seconds, words", [(0.0004, "0.4 ms"), (0.0121, "12 ms"), (1.5, "1,500 ms")])
def test_a_short_time_in_words(seconds, words):
    assert answer_panel.milliseconds(seconds) == words


# --- With the real images ---


def test_the_data_page_shows_fashion_mnist(real_data, monkeypatch):
    monkeypatch.setenv("FMNIST_DATA", str(REAL_DATA))
    at = visit(DATA)
    assert says(at, "60,000 images to learn from and 10,000 to be tested on: grey, 28 × 28 pixels, 6,000 and 1,000")
    assert {*charts(at)} == {"counts"}


# --- How sure, what went wrong, and the difference of two matrices ---


def test_compare_says_how_sure_each_difference_is(store, small_data, fashion):
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.60 + seed / 100)
        finished_run(store, Recipe("2", seed), small_data, accuracy=0.84 + seed / 50)
    at = visit(COMPARE)
    assert says(at, "Model 2 beats Model 0 by 25.0 points")
    assert "differences" in charts(at)
    assert not [button for button in at.button if button.key == "more-seeds"]


TABS = ["How sure?", "Learning", "Time and size", "Confidence", "Classes", "What went wrong", "Table"]


@pytest.mark.usefixtures("linkless")
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_compare_holds_with_a_dead_seed_a_lonely_one_and_other_devices(tab, store, small_data, fashion):
    finished_run(store, Recipe("2", 0), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("2", 1), small_data, accuracy=0.9)
    finished_run(store, Recipe("0"), small_data)
    finished_run(store, Recipe("1"), small_data, device="NVIDIA H100", machine="Another processor")
    running_run(store, Recipe("0", 7), small_data)
    at = visit(COMPARE, tab=tab)
    assert all(chart.alt for chart in charts(at).values())
    if tab == "How sure?":
        assert says(at, "**Not only the models differ:** seeds and times measured on")
    if tab == "Time and size":
        assert says(at, "Model 1 was timed on NVIDIA H100, alone, not on CPU of A processor, alone.")
        assert "Model 1" not in charts(at)["accuracy-against-cost"].alt
        [bar] = traces(charts(at)["cost-bars"])
        assert bar["marker"]["pattern"]["shape"] == ["", "/", ""]
    if tab == "What went wrong":
        assert says(at, "1 of 4 runs")


def test_a_single_seed_is_said_to_show_little_and_more_are_offered(store, small_data, fashion):
    three_models(store, small_data)
    at = visit(COMPARE)
    assert says(at, "Single runs can't show")
    [link] = [link.proto for link in at.get("page_link") if "Train five seeds" in link.proto.label]
    assert "models=0%2C1%2C2" in link.query_string and "seeds=5" in link.query_string


def swept(store: Store, small_data: Dataset) -> None:
    """Two models, two learning rates, two seeds; and one setting of which every run has failed."""
    for model, rate, accuracy in (("0", 0.1, 0.6), ("0", 0.01, 0.7), ("2", 0.1, 0.8), ("2", 0.01, 0.9)):
        for seed in (0, 1):
            finished_run(store, Recipe(model, seed, learning_rate=rate), small_data, accuracy=accuracy)
    ended_run(store, Recipe("2", learning_rate=10), small_data, "failed", "The loss is not a finite number any more.")


def test_a_sweep_is_shown_with_its_best_group_and_what_matters(store, small_data, fashion):
    swept(store, small_data)
    at = visit(COMPARE)
    at.session_state["tab"] = "Sweep"
    again(at)
    assert says(at, "2 of 4 settings are compared here")
    assert says(at, "Best of 5: **Model 2, SGD, lr 0.01, batch 32, 3 epochs** with **90.0%** on average over 2 seeds.")
    assert says(at, "The **model** matters most: all else equal, its best and its worst value lie 20.0 points apart")
    assert says(at, "1 run failed") and says(at, "chosen as the best of 5 on the test images")
    assert "Model 2, SGD, lr 0.01, batch 32, 3 epochs 90.0%" in charts(at)["sweep"].alt
    [table] = [table.value for table in at.dataframe if "failed" in table.value]
    assert table["accuracy_mean"].round().tolist()[:4] == [90, 80, 70, 60]
    assert table["failed"].tolist() == [0, 0, 0, 0, 1]
    [link] = [link.proto for link in at.get("page_link") if "Train the best" in link.proto.label]
    assert "models=2" in link.query_string and "rate=0.01" in link.query_string and "seeds=7" in link.query_string
    at.button(key="compare-best").click()
    again(at)
    assert at.multiselect[0].value == ["7", "5", "3", "1"]  # The most accurate first.
    assert not says(at, "settings are compared here")
    assert says(at, "**Model 2 · SGD, lr 0.01, batch 32, 3 epochs** is the most accurate")


def test_without_a_sweep_there_is_no_tab_for_it(store, small_data, fashion):
    three_models(store, small_data)
    assert "Sweep" not in {tab.label for tab in visit(COMPARE).tabs}
    finished_run(store, Recipe("0", epochs=1), small_data)
    assert "Sweep" in {tab.label for tab in visit(COMPARE).tabs}


def test_lonely_groups_of_several_recipes_get_a_link_each(store, small_data, fashion):
    finished_run(store, Recipe("0", learning_rate=0.5), small_data)
    finished_run(store, Recipe("2"), small_data)
    at = visit(COMPARE)
    links = [link.proto for link in at.get("page_link") if "Train five seeds" in link.proto.label]
    assert ["rate=0.5" in link.query_string for link in links] == [True, False]


def test_an_address_fills_in_the_recipe(store, small_sample):
    asked = {"models": "1,2", "dataset": "sample", "seeds": "5", "epochs": "7", "rate": "0.05", "batch": "64"}
    at = visit(TRAIN, **asked, optimizer="adam")
    assert at.number_input(key="seeds").value == 5 and at.text_input(key="epochs").value == "7"
    assert says(at, "Not the published recipe: Adam, lr 0.05, batch 64, 7 epochs.")


def test_an_address_fills_in_lists(store, small_sample):
    asked = {"models": "1,2", "dataset": "sample", "seeds": "1", "epochs": "1,3", "rate": "0.05, 0.5", "batch": "64"}
    at = visit(TRAIN, **asked, optimizer="adam,sgd")
    assert at.text_input(key="rate").value == "0.05, 0.5" and at.button_group(key="optimizer").value == ["adam", "sgd"]
    assert says(at, "2 models × 2 optimisers × 2 learning rates × 2 numbers of epochs = 16 runs")


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": "9"},
        {"seeds": "1000"},
        {"epochs": "many"},
        {"rate": "nan"},
        {"batch": ",".join(map(str, range(1, 999)))},
    ],
)
def test_an_address_that_makes_no_recipe_is_ignored(store, small_data, fashion, wrong):
    asked = {"models": "1", "dataset": "sample", "seeds": "5", "epochs": "7", "rate": "0.05", "batch": "64"}
    at = visit(TRAIN, **asked | wrong, optimizer="adam")
    assert at.number_input(key="seeds").value == 1 and at.text_input(key="epochs").value == "3"


def test_compare_names_what_went_wrong(store, small_data, fashion):
    finished_run(store, Recipe("1"), small_data, never=(6,))
    finished_run(store, Recipe("0"), small_data)
    at = visit(COMPARE)
    at.session_state["tab"] = "What went wrong"
    again(at)
    assert says(at, "1 of 2 runs") and says(at, "is never predicted")


def test_the_difference_of_two_matrices_opens_the_images_that_changed(store, small_data, fashion):
    finished_run(store, Recipe("0"), small_data, accuracy=0.5)
    finished_run(store, Recipe("2", 1), small_data, accuracy=0.9)
    at = visit(CONFUSION, cells="Difference", true="Shirt", predicted="Shirt")
    assert says(at, "recognises 40 more images")
    assert "difference" in charts(at)
    first, second = (np.argmax(store.logits(id), axis=1) == small_data.test_labels for id in (1, 2))
    shirts = small_data.test_labels == CLOTHES.classes.index("Shirt")
    fixed, both = (np.flatnonzero(shirts & second & before).tolist() for before in (~first, first))
    assert len(fixed) > 1
    assert says(at, f"Put right by Model 2, seed 1: **{len(fixed)}** · Broken by Model 2, seed 1: **0** · ")
    assert {*shown_images(at)} == {*fixed}
    at = visit(CONFUSION, cells="Difference", true="Shirt", predicted="Shirt", flip="Recognised by both")
    assert {*shown_images(at)} == {*both}


def test_a_model_against_itself_has_no_difference(store, small_data, fashion):
    three_models(store, small_data)
    at = visit(CONFUSION, cells="Difference", to="Model 0, seed 0", true="Shirt", predicted="Coat")
    assert says(at, "**Model 0, seed 0** recognises as many images as **Model 0, seed 0**.")
    assert says(at, "Nothing changed.")
    assert says(at, "Put right by Model 0, seed 0: **0** · Broken by Model 0, seed 0: **0** · ")


# --- Confusion: groups, epochs, and who is right where ---


def shown_images(at: AppTest) -> list[int]:
    """The test images on the page, in their order."""
    tiles = "".join(block.proto.body for block in at.get("html") if "<figure>" in block.proto.body)
    return [int(index) for index in re.findall(r"<figcaption>#(\d+)", tiles)]


def confusion_page(runs: Sequence[str] = (), **query: str) -> AppTest:
    return visit(CONFUSION, **({"runs-fashion-mnist-own": list(runs)} if runs else {}), **query)


def test_seeds_are_summed_and_a_dead_one_is_named(store, small_data, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed), small_data, accuracy=0.8 + seed / 10)
    finished_run(store, Recipe("0", 2), small_data, never=tuple(range(1, 10)))
    finished_run(store, Recipe("1", 0), small_data, device="NVIDIA H100")
    at = confusion_page(["Model 0, all seeds"], true="Bag", predicted="T-shirt/top")
    said = np.array([np.argmax(store.logits(id), axis=1) for id in (1, 2, 3)])
    right = np.mean(said == small_data.test_labels)
    assert says(at, f"**Model 0, all seeds** · {right:.2%} right on average over 3 seeds")
    assert says(at, "seed 2 dead: it gives every image the same class")
    bags = small_data.test_labels == CLOTHES.classes.index("Bag")
    times = np.count_nonzero(said[:, bags] == 0)
    assert says(at, f"**Bag** taken for **T-shirt/top** {times:,} times on {bags.sum()} images, the surest first.")
    assert {*shown_images(at)} == {*np.flatnonzero(bags)}
    assert at.multiselect[0].options == [
        "Model 0, all seeds",
        *(f"Model 0, seed {seed}" for seed in range(3)),
        "Model 1, seed 0",
    ]


def keep_epochs(store: Store, run: Run, *answers: np.ndarray) -> None:
    """Give a run's first epochs these answers."""
    kept = {f"predictions/{epoch}": pack(said.astype(np.uint8)) for epoch, said in enumerate(answers, start=1)}
    store.record(run.id, [], images_per_second=None, artifacts=kept)


def test_epochs_are_replayed_and_stand_side_by_side(store, small_data, fashion):
    labels = small_data.test_labels
    keep_epochs(store, finished_run(store, Recipe("0"), small_data), (labels + 1) % 10, (labels + (labels < 5)) % 10)
    at = confusion_page()
    assert says(at, "80.00% right")
    at.select_slider(key="epoch").set_value(1)
    again(at)
    assert says(at, "**Model 0, seed 0, after epoch 1** · 0.00% right")
    at = confusion_page(epoch="2", beside=["1", "the end"], cells="Difference", true="Coat", predicted="Sandal")
    assert at.selectbox(key="to").options == [
        "Model 0, seed 0, after epoch 1",
        "Model 0, seed 0, after epoch 2",
        "Model 0, seed 0",
    ]
    assert says(at, f"recognises {np.count_nonzero(labels >= 5)} more images than")
    assert says(at, "how sure a model is, is known of its end alone")


def test_epochs_that_were_not_kept_are_named(store, small_data, fashion):
    runs = three_models(store, small_data)
    keep_epochs(store, runs[1], small_data.test_labels)
    at = confusion_page(epoch="1")
    assert says(at, "No answers are kept of Model 0, seed 0, after epoch 1 and Model 2, seed 0, after epoch 1.")
    assert [*charts(at)] == ["matrix-2@1"]
    assert says(at, "**Model 1, seed 0, after epoch 1** makes no error.")


@pytest.mark.usefixtures("linkless")
def test_a_link_restores_the_whole_page_of_confusions(store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    compared = ["Model 2, all seeds", "Model 0, seed 1"]
    query = {"cells": "Share of the predicted class", "true": "Bag", "predicted": "Bag", "of": compared[1]}
    first = shown_images(confusion_page(compared, **query))[0]
    at = confusion_page(compared, **query, image=f"#{first}")
    assert says(at, "**Model 0, seed 1** · ")
    assert says(at, f"Model 0, seed 1: **Bag** recognised, {len(shown_images(at))} images")
    assert says(at, f"Test image {first}: **Bag**")
    assert [key for key in charts(at) if key.startswith("probabilities")] == ["probabilities-all-3", "probabilities-4"]


@pytest.mark.parametrize(
    "pattern",
    [
        "All are wrong",
        "All are wrong in the same way",
        "Only Model 2, seed 0 is right",
        "Seeds disagree: Model 1, all seeds",
    ],
)
def test_who_is_right_where_shows_the_images_of_a_hand_count(pattern, store, small_data, fashion):
    for seed in (0, 1):
        three_models(store, small_data, seed=seed)
    said = np.array([np.argmax(store.logits(id), axis=1) for id in (1, 2, 3)])
    right = said == small_data.test_labels
    expected = {
        "All are wrong": ~right.any(axis=0),
        "All are wrong in the same way": ~right.any(axis=0) & (said == said[0]).all(axis=0),
        "Only Model 2, seed 0 is right": right[2] & ~right[:2].any(axis=0),
        "Seeds disagree: Model 1, all seeds": said[1] != np.argmax(store.logits(5), axis=1),
    }[pattern]
    assert expected.any()
    at = confusion_page(view="Who is right where", pattern=pattern)
    assert says(at, f"**{pattern}:** {expected.sum()} of 100 images.")
    assert {*shown_images(at)} == {*np.flatnonzero(expected)}
    assert not charts(at), "the matrices are worked out though they are not shown"


def test_possible_wrong_labels_are_listed_for_download(store, small_data, fashion, monkeypatch):
    wrong = (small_data.test_labels + (np.arange(100) < 3)) % 10
    invented = making.invented_logits
    monkeypatch.setattr(making, "invented_logits", lambda _, *args, **seed: invented(wrong, *args, **seed))
    for model in ARCHITECTURES:
        finished_run(store, Recipe(model), small_data, accuracy=1)
    at = confusion_page(view="Who is right where", pattern="Possible wrong labels")
    assert says(at, "**Possible wrong labels:** 3 of 100 images.")
    assert says(at, "3 runs of Model 0, Model 1 and Model 2 were asked")
    table = at.dataframe[0].value.set_index("image")
    assert {*table.index} == {*shown_images(at)} == {0, 1, 2}
    assert table.loc[0, "label"] == CLOTHES.classes[small_data.test_labels[0]]
    assert table.loc[0, "answer"] == CLOTHES.classes[wrong[0]]
    assert at.get("download_button")[0].proto.label == "Download as CSV"


# --- Taking runs elsewhere ---


def make(at: AppTest, panel: str, form: str) -> AppTest:
    """Choose a format on Compare or Train, and have the files made."""
    at.selectbox(f"{panel}-format").set_value(form)
    again(at)
    at.button(f"{panel}-make").click()
    return again(at)


def test_compared_runs_are_exported_as_the_command_line_does(store, small_data, small_sample, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed, "sample"), small_data, weights=True)
    at = make(visit(COMPARE), "compared", "csv")
    [button] = [button for button in at.get("download_button") if "Save" in button.proto.label]
    assert "fmnist-csv-1.zip" in button.proto.label
    _, content, *_ = at.session_state[export_panel.KEPT]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {Path(name).name for name in archive.namelist()}
        assert names == {"runs.csv", "curves.csv", "predictions.csv", "classes.csv"}
        runs = archive.read("fmnist-csv-1/runs.csv").decode()
    assert len(runs.splitlines()) == 3 and all(run.key in runs for run in store.runs())
    at.selectbox("compared-format").set_value("parquet")
    again(at)
    assert not [button for button in at.get("download_button") if "Save" in button.proto.label]  # Another format's.


def test_chosen_rows_of_train_are_exported(store, small_data, started):
    finished_run(store, Recipe("0"), small_data, weights=True)
    ended_run(store, Recipe("1"), small_data, "failed", "No luck.")
    at = visit(TRAIN)
    at.session_state["all-runs"] = {"selection": {"rows": [0, 1], "columns": [], "cells": []}}
    again(at)
    assert "Make the files of 1 run" in labels(at)  # Of the finished one.


def test_an_export_that_fails_is_said_in_a_sentence(store, small_data, small_sample, fashion):
    run = finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    at = visit(COMPARE)
    with sqlite3.connect(store.path) as db:  # Behind the page's back.
        db.execute("DELETE FROM artifacts WHERE run = ? AND name = 'weights'", (run.id,))
    make(at, "compared", "safetensors")
    [error] = texts(at, "error")
    assert is_one_sentence(error) and "weights" in error


def test_mlflow_is_logged_to_what_the_environment_names_alone(store, small_data, small_sample, fashion, monkeypatch):
    pytest.importorskip("mlflow")
    finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    at = visit(COMPARE)
    at.selectbox("compared-format").set_value("mlflow")
    again(at)
    assert [code.value for code in at.code] == ["python -m fmnist export 1 --to mlflow --tracking-uri URI"]
    assert "compared-make" not in [button.key for button in at.button]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "Log 1 run" in labels(again(at))


def test_what_is_not_installed_is_named_in_its_place(store, small_data, small_sample, fashion, monkeypatch):
    finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    absent = replace(FORMATS["onnx"], needs=("no_such_package",))
    monkeypatch.setitem(FORMATS, "onnx", absent)
    at = visit(COMPARE)
    at.selectbox("compared-format").set_value("onnx")
    again(at)
    assert says(at, "requirements\\-export") and "compared-make" not in [button.key for button in at.button]
