"""Photos made from images come back as these images: what bench/conversion.py measures, held on sample data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from bench import conversion
from fmnist.data import files, sample
from fmnist.data.files import Dataset
from fmnist.models import inference
from fmnist.recipe import Recipe
from fmnist.training import loop

COUNT = 100


@pytest.fixture(scope="module")
def known() -> Dataset:
    """Sample data as FashionMNIST's images are: filling the frame in one direction, in the middle of the other."""
    (train_images, train_labels), (test_images, test_labels) = sample.draw(3000, seed=11), sample.draw(COUNT, seed=12)
    return files._dataset("sample", filling(train_images), train_labels, filling(test_images), test_labels)


def filling(images: np.ndarray) -> np.ndarray:
    return conversion.converted([Image.fromarray(np.pad(image, 9)) for image in images])


@pytest.fixture(scope="module")
def model(known: Dataset) -> torch.nn.Module:
    """Model 2, trained on sample data for some seconds."""
    recipe = Recipe("2", dataset="sample", epochs=3, learning_rate=0.05, device="cpu")
    *_, last = loop.train(recipe, known)
    model = inference.build(recipe.model, recipe.seed, torch.device("cpu"))
    model.load_state_dict(last.weights)
    return model.eval()


def accuracy(model: torch.nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    return float((inference.evaluate(model, inference.as_input(images)).argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("form", conversion.FORMATS)
@pytest.mark.parametrize("canvas", conversion.CANVASES)
def test_photos_of_images_come_back_and_are_recognised_as_well(known, model, canvas, form):
    images, labels = known.test_images, known.test_labels
    found = conversion.converted(conversion.photos(images, canvas, form))
    error = np.abs(found.astype(int) - images).mean()
    before, after = accuracy(model, images, labels), accuracy(model, found, labels)
    print(f"{canvas}, {form}: error {error:.1f} of 255; {before:.1%} right before, {after:.1%} after")
    assert error < 10
    assert before > 0.6
    assert abs(after - before) <= 0.03


def test_photos_are_where_they_are_said_to_be(known):
    """The same places and sizes for each kind of file, so that rows differ in what they are named for alone."""
    image = known.test_images[:5]
    sizes = {
        tuple(photo.size for photo in conversion.photos(image, canvas, form))
        for canvas in conversion.CANVASES
        for form in conversion.FORMATS
    }
    assert len(sizes) == 1
    [white] = conversion.photos(image[:1], "white", "PNG")
    [black] = conversion.photos(image[:1], "black", "PNG")
    assert (np.asarray(white) == 255 - np.asarray(black)).all()
    assert white.getpixel((0, 0)) == (255, 255, 255) and max(white.size) > 5 * 28
