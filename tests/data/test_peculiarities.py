"""What is said of FashionMNIST's images is what can be counted over them."""

from __future__ import annotations

import numpy as np

from fmnist.data import files
from fmnist.data.catalog import CLOTHES
from fmnist.data.description import describe
from fmnist.data.peculiarities import SHOES, point_left


def shoe() -> np.ndarray:
    """A shoe with a low toe on the left and a high heel on the right."""
    image = np.zeros((28, 28), np.uint8)
    for column in range(2, 26):
        image[22 - column // 2 : 24, column] = 200
    return image


def test_a_shoe_points_where_its_toe_is():
    left = shoe()
    assert point_left(np.stack([left, left[:, ::-1], np.zeros_like(left)])).tolist() == [True, False, False]


def test_fashion_mnists_shoes_point_left(real_data):
    for name in SHOES:
        images = real_data.test_images[real_data.test_labels == CLOTHES.classes.index(name)]
        share = point_left(images).mean()
        assert share > 0.9 and point_left(images[:, :, ::-1]).mean() < 0.1


def test_a_data_set_is_described_by_what_is_in_it(small_data):
    assert describe(small_data).startswith(
        "431 grey pictures of clothes, 28 × 28 pixels: 331 to learn from, 100 to test."
    )
    assert "equal size" not in describe(small_data)
    labels = np.repeat(np.arange(10), 3)
    ten = files.TestSet("mnist", np.zeros((30, 28, 28), np.uint8), labels, "")
    assert describe(ten) == (
        "30 grey pictures of digits, 28 × 28 pixels, to test the models on. Ten classes of equal size."
    )
