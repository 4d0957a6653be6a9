"""The ten pictures of the first page."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fmnist.data import examples


def test_the_shipped_pictures_are_test_images_one_of_each_class(real_data):
    shipped = examples.shipped("fashion-mnist")
    assert shipped and len(shipped) < 6_000
    assert real_data.test_labels[list(examples.EXAMPLES)].tolist() == list(range(10))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shipped))), examples.strip(real_data, examples.EXAMPLES))


def test_of_other_data_the_first_of_each_class_is_taken(small_data):
    indices = examples.first_of_each(small_data)
    assert small_data.test_labels[indices].tolist() == list(range(10))
    assert examples.strip(small_data, indices).shape == (28, 280)
    assert examples.shipped("sample") is None


def test_a_dozen_images_with_every_class_are_watched_while_a_model_learns(small_data, real_data):
    for data in (small_data, real_data):
        watched = examples.watched(data)
        assert len(set(watched)) == 12 and watched == examples.watched(data)
        assert set(data.test_labels[watched]) == set(range(10))
        assert (np.diff(data.test_labels[watched]) >= 0).all()
    assert watched == list(examples.WATCHED)
