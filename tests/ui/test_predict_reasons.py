"""Why, on the Predict page: what is shown, in words and pictures, and when the page warns."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.making import three_models
from helpers.ui import PAGES, again, says, visit
from streamlit.testing.v1 import AppTest

from fmnist.data.catalog import CLOTHES
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.store import Store
from fmnist.ui import predict_neighbours

PREDICT = PAGES[4]


@pytest.fixture
def trained(store, small_sample):
    return three_models(store, small_sample, dataset="sample", weights=True)


def why(**query: str) -> AppTest:
    return visit(PREDICT, how="Test image", index="3", why="true", data="Sample data", **query)


def htmls(at: AppTest) -> str:
    return " ".join(element.proto.body for element in at.get("html"))


def test_each_models_answer_is_explained_pixel_by_pixel(trained):
    shown = htmls(why())
    for architecture in ARCHITECTURES.values():
        assert re.search(f'alt="{architecture.name}[^"]*: what each pixel adds to [^"]+"', shown)
    sums = re.findall(r", (\S+) points</b><br>(\S+) for a black image ([+−]) (\S+) from", shown)
    assert len(sums) == len(ARCHITECTURES)
    for logit, start, sign, added in sums:
        total = float(start.replace("−", "-")) + float(added) * (1 if sign == "+" else -1)
        assert total == pytest.approx(float(logit.replace("−", "-")), abs=1e-9)  # Of the figures as they are printed.


def test_another_class_can_be_asked_about(trained):
    at = why()
    at.selectbox(key="why-class").set_value("Bag").run()
    assert htmls(at).count("what each pixel adds to Bag") == len(ARCHITECTURES)


def test_what_convolutions_see_layer_by_layer(trained):
    at = why(**{"why-tab": "What convolutions see"})
    for number, shape in enumerate(("10 × 28 × 28", "10 × 28 × 28", "10 × 14 × 14", "10 × 14 × 14"), start=1):
        assert says(at, f", convolution {number}: {shape}**")
    assert "what each pixel adds" not in htmls(at)  # Only what is open is worked out.


def test_the_nearest_training_images_stand_there_with_their_labels(trained, small_sample):
    at = why(**{"why-tab": "Nearest training images"})
    captions = re.findall(r'alt="([^,"]+), (\d+)% different"', htmls(at))
    assert len(captions) == predict_neighbours.NEIGHBOURS
    assert {label for label, _ in captions} <= set(CLOTHES.classes)
    distances = [int(distance) for _, distance in captions]
    assert distances == sorted(distances)
    assert says(at, "Of the 10 nearest:")


def test_without_the_question_nothing_is_worked_out(trained):
    assert "what each pixel adds" not in htmls(visit(PREDICT, how="Test image", index="3", data="Sample data"))


def page(root: str, dataset: str, image: list) -> None:
    """A page with the warning alone."""
    from pathlib import Path

    import numpy as np

    from fmnist.store.library import Library
    from fmnist.store.store import Store
    from fmnist.ui import predict_reasons

    library = Library(Store(Path(root) / "fmnist.db"), None)
    if known := predict_reasons.familiarity(library, dataset):
        predict_reasons.warn_if_unfamiliar(*known.reasons(np.array([image], np.uint8)))


def warnings(store: Store, image: np.ndarray, dataset: str = "sample") -> list[str]:
    at = again(AppTest.from_function(page, args=(str(store.path.parent), dataset, image.tolist()), default_timeout=90))
    return [warning.value for warning in at.warning]


NOISE = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)


def test_noise_is_warned_of_with_the_reason(store, small_sample):
    [warning] = warnings(store, NOISE)
    assert "unlike the training images" in warning
    assert "noise" in warning


def test_a_training_image_is_not_warned_of(store, small_sample):
    assert not warnings(store, small_sample.train_images[7])


def test_what_was_learned_of_fashion_mnist_needs_no_download(store, monkeypatch, tmp_path):
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "nothing"))
    [warning] = warnings(store, NOISE, "fashion-mnist")
    assert "noise" in warning
    assert not warnings(store, NOISE, "mnist")  # Of which nobody here knows what it looks like.
