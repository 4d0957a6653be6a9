"""A second data set through everything: trained by a real trainer, seen on every page, never beside FashionMNIST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.data_files import publish, tell_processes
from helpers.making import finished_run, three_models
from helpers.processes import wait_for
from helpers.ui import again, charts, live_curves, says, texts, visit

from fmnist.data.catalog import CLOTHES, DATASETS, DIGITS
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import Store
from fmnist.ui import resources

MNIST = {"data": "MNIST"}
CLOTHES_ALONE = set(CLOTHES.classes) - {"Bag"}  # A short word may stand in another.


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reference runs; and a page that AppTest opens by itself, for its query, knows no others to link to."""
    monkeypatch.setattr(resources, "Library", lambda own: Library(own, None))
    monkeypatch.setattr("streamlit.page_link", lambda *_, **__: None)


@pytest.fixture
def small_mnist(tmp_path: Path, small_data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST's files, small, as published for us and for the processes that we start; FashionMNIST's beside them."""
    root = tmp_path / "data"
    infos = [publish(name, small_data, root, monkeypatch) for name in ("mnist", "fashion-mnist")]
    tell_processes(infos, tmp_path / "site", monkeypatch)
    monkeypatch.setenv("FMNIST_DATA", str(root))


@pytest.fixture
def both(store: Store, small_data: Dataset) -> list[Run]:
    """Three models on FashionMNIST, and on MNIST; the latter."""
    three_models(store, small_data, weights=True)
    return three_models(store, small_data, weights=True, dataset="mnist")


def test_it_is_trained_by_a_real_trainer_and_seen_on_every_page(small_mnist, store, small_data):
    three_models(store, small_data, weights=True)
    at = visit("pages/1_Train.py")
    at.button_group(key="dataset").set_value("mnist")
    at.pills(key="models").set_value(["0"])
    at.text_input(key="epochs").set_value("1")
    at.run()
    at.button(key="train").click().run()
    assert not at.exception
    run = wait_for(lambda: next((run for run in store.finished() if run.recipe.dataset == "mnist"), None), 300)
    assert (run.recipe, run.error) == (Recipe("0", dataset="mnist", epochs=1), None)
    assert 0 < run.result.test_accuracy <= 1 and len(store.logits(run.id)) == len(small_data.test_labels)
    [curve] = live_curves(visit("pages/1_Train.py"))["mnist"]["runs"]
    assert curve["name"] == "Model 0, seed 0"
    for page in ("dashboard.py", "pages/2_Compare.py", "pages/3_Confusion.py", "pages/4_Predict.py"):
        at = visit(page, **MNIST)
        assert at.button_group(key="data").options == ["FashionMNIST", "MNIST"]
        assert at.button_group(key="data").value == "mnist"
        assert not says(at, "Nothing has been trained")
    assert len(visit("dashboard.py", show="All numbers").dataframe[0].value) == 3  # FashionMNIST's
    at = visit("dashboard.py", show="All numbers")
    at.button_group(key="data").set_value("mnist").run()
    assert at.dataframe[0].value["accuracy"].tolist() == [100 * run.result.test_accuracy]


def test_a_confusion_matrix_has_the_digits_on_its_axes(small_mnist, both, store, small_data):
    compared = {"runs-mnist-own": [run.address for run in both]}
    taken = store.logits(both[0].id).argmax(1)[small_data.test_labels == 7]
    wrong = taken[taken != 7][0]
    at = visit("pages/3_Confusion.py", **MNIST, **compared, true="7", predicted=str(wrong))
    assert at.selectbox(key="true").options == list(DIGITS.classes)
    drawn = {key: json.loads(chart.spec) for key, chart in charts(at).items() if key.startswith("matrix-")}
    assert set(drawn) == {f"matrix-{run.address}" for run in both}
    assert all(matrix["layout"]["yaxis"]["ticktext"] == list(DIGITS.short) for matrix in drawn.values())
    assert says(at, f"**7** mistaken for **{wrong}**")


def test_comparison_is_of_one_data_set_and_knows_what_others_reach_of_fashion_mnist_alone(small_mnist, both):
    at = visit("pages/2_Compare.py", **MNIST, tab="Classes")
    assert not [toggle for toggle in at.toggle if toggle.key == "lines"]
    assert [toggle for toggle in visit("pages/2_Compare.py", data="FashionMNIST").toggle if toggle.key == "lines"]
    [hardest] = [text for text in texts(at, "markdown") if "hardest class" in text]
    assert hardest.split("**")[1] in DIGITS.classes
    rows = json.loads(charts(at)["classes"].spec)["data"][-1]["y"]
    assert sorted(rows) == list(DIGITS.classes)


def test_prediction_is_in_the_words_of_the_data_set(small_mnist, both, small_data):
    assert says(visit("pages/4_Predict.py", **MNIST), "Draw one digit")
    assert says(visit("pages/4_Predict.py", data="FashionMNIST"), "Draw one piece of clothing")
    at = visit("pages/4_Predict.py", **MNIST, how="Test image", index="7")
    assert says(at, f"The label is **{small_data.test_labels[7]}**.")
    assert not [name for name in CLOTHES_ALONE for text in texts(at, "markdown", "caption") if name in text]
    assert at.selectbox(key="class").options == list(DIGITS.classes)


def test_the_data_page_shows_every_data_set_and_offers_those_that_are_missing(small_mnist):
    at = visit("pages/5_Data.py", **MNIST)
    assert at.button_group(key="data").options == [info.title for info in DATASETS.values()]
    assert at.selectbox(key="class").options == ["All classes", *DIGITS.classes]
    at = visit("pages/5_Data.py", **MNIST, part="Counts")
    axis = json.loads(charts(at)["counts"].spec)["layout"]["yaxis"]
    assert axis["type"] == "category"  # Else "7" would be a place on a scale.
    missing = visit("pages/5_Data.py", data="KMNIST")
    assert says(missing, "KMNIST is not in")
    assert [button.label for button in missing.button] == ["Download KMNIST"]


def test_each_data_set_has_a_folder_of_its_own_that_was_chosen(store, monkeypatch):
    monkeypatch.delenv("FMNIST_DATA", raising=False)
    store.choose_data_root("fashion-mnist", Path("/clothes"))
    assert store.data_root("mnist") == Path("/clothes")  # It may lie there, too.
    store.choose_data_root("mnist", Path("/digits"))
    assert (store.data_root(), store.data_root("mnist")) == (Path("/clothes"), Path("/digits"))


@pytest.mark.parametrize(
    "page, asked, default",
    [
        ("pages/3_Confusion.py", {"true": "Bag", "predicted": "Shirt"}, None),
        ("pages/4_Predict.py", {"class": "Bag", "how": "Test image"}, None),
        ("pages/5_Data.py", {"class": "Bag"}, "All classes"),
    ],
)
def test_a_class_that_other_data_do_not_have_leaves_the_address(page, asked, default, small_mnist, both):
    at = visit(page, data="fashion-mnist", **asked)
    names = asked.keys() - {"how"}
    for name in names:
        assert at.selectbox(key=name).value == at.query_params[name] == asked[name]
    for data in ("mnist", "fashion-mnist"):
        at.segmented_control(key="data").set_value(data)
        again(at)
        assert all(at.selectbox(key=name).value == default for name in names) and not names & {*at.query_params}


def test_an_epoch_that_other_runs_do_not_have_leaves_the_address(small_mnist, store, small_data):
    runs = [finished_run(store, Recipe("0", epochs=epochs), small_data) for epochs in (4, 2)]
    key = "runs-fashion-mnist-own"
    at = visit("pages/3_Confusion.py", **{key: runs[0].address}, epoch="3")
    assert at.select_slider(key="epoch").value == 3 and at.query_params["epoch"] == "3"
    at.multiselect(key=key).set_value([runs[1].address])
    again(at)
    assert at.select_slider(key="epoch").value == "the end" and "epoch" not in at.query_params
