"""Which training images are held out."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist.data.held_out import held_out, trained_on


def test_of_each_class_the_last_images_in_proportion_to_its_size():
    labels = np.array([3, 1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 1])  # Four of class 3, eight of class 1.
    assert held_out(labels, 3).tolist() == [8, 10, 11]
    assert held_out(labels, 6).tolist() == [5, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("count", [0, 1, 7, 50, 99])
def test_as_many_as_asked_for_and_none_of_them_is_trained_on(count):
    labels = np.random.default_rng(0).integers(0, 7, 100)
    kept, learnt = held_out(labels, count), trained_on(labels, count)
    assert len(kept) == count
    assert np.array_equal(np.sort(np.concatenate([kept, learnt])), np.arange(100))
    shares = np.bincount(labels, minlength=7) * count / 100
    assert (np.abs(np.bincount(labels[kept], minlength=7) - shares) < 1).all()
