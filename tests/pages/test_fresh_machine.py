"""A machine on which nothing was downloaded or trained: what comes with the project is seen, and one press trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.data_files import publish, tell_processes
from helpers.processes import wait_for
from helpers.ui import (
    COMPARE,
    CONFUSION,
    DATA,
    HOME,
    PREDICT,
    TRAIN,
    again,
    charts,
    labels,
    live_curves,
    says,
    shown,
    tiles,
    visit,
)
from streamlit.testing.v1 import AppTest

from fmnist.compare.charts import GREY
from fmnist.data import files
from fmnist.data.catalog import CLOTHES
from fmnist.recipe import Recipe
from fmnist.store.store import Store
from fmnist.training import launcher
from fmnist.ui import data_download, login

pytestmark = pytest.mark.usefixtures("bare_pages", "reference", "shipped")
DOWNLOAD, SAMPLE = "Download FashionMNIST (31 MB) and train", "Train on sample data now"


def pictures(at: AppTest) -> str:
    return " ".join(block.proto.body for block in at.get("html") if "<figure>" in block.proto.body)


# --- What is seen ---


def test_the_first_page_and_compare_are_complete():
    assert "accuracy-against-time" in charts(visit(HOME))
    at = visit(COMPARE, tab="Differences")
    assert says(at, "On the same 100 images")
    assert says(visit(COMPARE, tab="Classes"), "is the hardest class") and not labels_of_downloads(at)


def labels_of_downloads(at: AppTest) -> list[str]:
    return [label for label in labels(at) if label.startswith("Download FashionMNIST")]


def test_a_cell_of_the_references_matrix_shows_its_images(reference, small_data):
    at = visit(CONFUSION, true="Sneaker", predicted="Sandal", **{"runs-fashion-mnist-reference": "Model 0, seed 0"})
    row, column = CLOTHES.classes.index("Sneaker"), CLOTHES.classes.index("Sandal")
    run = Store(reference, read_only=True).run(1)
    predictions = np.argmax(Store(reference, read_only=True).logits(run.id), axis=1)
    count = np.count_nonzero((small_data.test_labels == row) & (predictions == column))
    assert len(tiles(at)) == count > 0
    assert not labels_of_downloads(at)


def test_a_test_image_is_answered_and_only_its_nearest_training_images_ask_for_the_download():
    at = visit(PREDICT, how="Test image", index="3", why="true")
    assert says(at, "How good these answers are") and not labels_of_downloads(at)
    at = visit(PREDICT, how="Test image", index="3", why="true", **{"why-tab": "Nearest training images"})
    assert says(at, "60,000 training images, which are not on this machine")
    assert labels_of_downloads(at)


def test_the_data_page_shows_the_test_images_and_says_what_the_download_adds():
    at = visit(DATA, **{"class": "Bag"})
    assert says(at, "100 grey pictures of clothes, 28 × 28 pixels, to test the models on.")
    assert pictures(at).count("<figure>") > 0
    assert says(at, "The download adds the 60,000 images that the models learn from") and labels_of_downloads(at)
    at = visit(DATA, part="Average pictures")
    assert says(at, "The average picture of each class (test images).") and pictures(at).count("<figure>") == 10
    at = visit(DATA, part="Counts")
    assert [bar["name"] for bar in json.loads(charts(at)["counts"].spec)["data"]] == ["Test"]


def test_who_may_only_look_sees_the_same(monkeypatch, store):
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    assert tiles(visit(CONFUSION, true="Sneaker", predicted="Sandal"))
    at = visit(DATA)
    assert says(at, "to test the models on") and not labels_of_downloads(at)


def test_reference_curves_in_grey_stand_where_ones_own_will_be(small_sample, started):
    at = visit(TRAIN)
    [(data, curves)] = live_curves(at).items()
    assert data == "reference" and says(at, "In grey: how each model learned FashionMNIST in a reference run")
    assert [run["name"] for run in curves["runs"]] == [f"Model {model}, reference run" for model in "012"]
    assert {run["color"] for run in curves["runs"]} == {GREY} and len({run["symbol"] for run in curves["runs"]}) == 3
    assert all(len(run["train"]["step"]) and len(run["test"]["step"]) for run in curves["runs"])
    at = press(at, SAMPLE)
    assert not live_curves(at) and not says(at, "In grey")


# --- What is trained ---


def press(at: AppTest, label: str) -> AppTest:
    [button] = [button for button in at.button if button.label == label]
    assert not button.disabled
    button.click()
    return again(at)


@pytest.fixture
def only_model_0(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AppTest]:
    """The Train page with a training that takes a second."""

    def open_page() -> AppTest:
        at = visit(TRAIN)
        at.button_group(key="models").set_value(["0"])
        at.text_input(key="epochs").set_value("1")
        return again(at)

    return open_page


def test_one_press_trains_on_sample_data(small_sample, store, started):
    at = press(visit(TRAIN), SAMPLE)
    queued = store.runs("queued")
    assert [run.recipe for run in queued] == [Recipe(model, dataset="sample") for model in "012"]
    assert [run.key for run in queued] == [run.recipe.key(small_sample.fingerprint) for run in queued]
    assert started and says(at, "Queued: Model 0, seed 0")


def test_one_press_downloads_and_then_trains(only_model_0, store, tmp_path, small_data, mirror, monkeypatch):
    """By the real torchvision, from a server in place of the authors'; trained by a real trainer."""
    info = publish("fashion-mnist", small_data, tmp_path / "mirror", monkeypatch)
    tell_processes([info], tmp_path / "site", monkeypatch, download=mirror(info))
    at = press(only_model_0(), DOWNLOAD)
    assert DOWNLOAD not in labels(at) and SAMPLE in labels(at)  # It is asked for already.
    assert "then 1 run will be trained" in at.get("progress")[0].proto.text
    visit(HOME)  # Wherever one goes meanwhile.
    [run] = wait_for(store.finished)
    assert run.recipe == Recipe("0", epochs=1)
    assert run.key == run.recipe.key(files.load("fashion-mnist", tmp_path / "no-data", tmp_path).fingerprint)
    at = visit(TRAIN)
    assert not at.button(key="train").disabled and not labels_of_downloads(at)


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads fail at once."""
    tell_processes([], tmp_path / "site", monkeypatch, download="raise SystemExit('<urlopen error no network here>')")


def test_a_download_that_fails_offers_the_sample_data(unreachable, only_model_0, store, small_sample, started):
    at = press(only_model_0(), DOWNLOAD)
    wait_for(lambda: not data_download.download_of(store, "fashion-mnist").running)
    [error] = shown(again(at), "error")
    assert is_one_sentence(error) and "no network here" in error and "sample data" in error
    assert not store.count() and DOWNLOAD in labels(at)
    press(at, SAMPLE)
    assert [run.recipe for run in store.runs("queued")] == [Recipe("0", dataset="sample", epochs=1)]


def test_another_recipe_can_be_asked_for_while_the_data_are_on_their_way(only_model_0, store, idx_root, monkeypatch):
    class Ended:
        """A download that ends when the test says so."""

        exit_code: int | None = None

        def __init__(self, *arguments: str) -> None:
            self.arguments = arguments

        def wait(self, seconds: float) -> int | None:
            return wait_for(lambda: Ended.exit_code is not None and [Ended.exit_code])[0]

    monkeypatch.setattr(data_download, "BackgroundProcess", Ended)
    monkeypatch.setattr(launcher, "start", lambda runs: None)
    at = press(only_model_0(), DOWNLOAD)
    at.text_input(key="epochs").set_value("2")
    at = press(again(at), "Train when FashionMNIST has arrived")
    assert "then 2 runs will be trained" in at.get("progress")[0].proto.text
    idx_root.rename(store.data_root())
    Ended.exit_code = 0
    wait_for(lambda: not data_download.download_of(store, "fashion-mnist").running)
    assert [run.recipe.epochs for run in store.runs("queued")] == [1, 2]


def test_that_no_process_can_be_started_for_a_download_is_said(only_model_0, monkeypatch):
    def refuse(*arguments: str) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(data_download, "BackgroundProcess", refuse)
    at = press(only_model_0(), DOWNLOAD)
    [error] = shown(again(at), "error")
    assert "No process can be started for the download" in error and DOWNLOAD in labels(at)


def test_damaged_files_are_named_and_got_again(idx_root, monkeypatch, started):
    monkeypatch.setenv("FMNIST_DATA", str(idx_root))
    path = files.raw_folder("fashion-mnist", idx_root) / "train-labels-idx1-ubyte.gz"
    path.write_bytes(b"x")
    at = visit(TRAIN)
    [warning] = shown(at, "warning")
    assert str(path) in warning and DOWNLOAD in labels(at)


# --- Where there is nothing to train ---


def test_the_buttons_are_grey_without_a_model(started):
    at = visit(TRAIN)
    assert not any(button.disabled for button in at.button if button.label in (DOWNLOAD, SAMPLE))
    at.button_group(key="models").set_value([])
    again(at)
    assert all(button.disabled for button in at.button if button.label in (DOWNLOAD, SAMPLE))


def test_the_buttons_are_grey_while_the_queue_is_full(store, small_data, small_sample, started, monkeypatch):
    monkeypatch.setenv("FMNIST_QUEUE_LIMIT", "3")
    monkeypatch.setattr(login, "_network", lambda address: "")
    at = press(visit(TRAIN), SAMPLE)
    assert store.count() == 3
    assert all(button.disabled for button in at.button if button.label in (DOWNLOAD, SAMPLE))
    assert says(at, "reached your limit of runs")
    at.button_group(key="dataset").set_value("sample")
    assert again(at).button(key="train").disabled
    store.request_stop([run.id for run in store.runs("queued")])
    assert not again(at).button(key="train").disabled
