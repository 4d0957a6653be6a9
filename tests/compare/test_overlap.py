"""Which classes the reference runs mix up, counted again by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist.compare import overlap
from fmnist.data.catalog import CLOTHES
from fmnist.data.peculiarities import TOPS
from fmnist.store.library import Library

TOP_LABELS = [CLOTHES.classes.index(name) for name in TOPS]


def test_the_share_of_errors_and_the_images_are_a_hand_count(store, real_data):
    library, labels = Library(store), real_data.test_labels
    found = overlap.among(library, "fashion-mnist", labels, TOP_LABELS, 3)
    assert found and found.group.title == "Model 2" and len(found.mix_ups) == 3
    said = np.stack([library.predictions(run) for run in found.group.runs])
    wrong = said != labels
    inside = wrong & np.isin(said, TOP_LABELS) & np.isin(labels, TOP_LABELS)
    assert found.share == pytest.approx(inside.sum() / wrong.sum())
    assert found.share > 0.5  # Of 12 of the 90 possible mix-ups.
    for one in found.mix_ups:
        assert one.share == pytest.approx((said[:, labels == one.true] == one.predicted).mean())
        assert (labels[one.images] == one.true).all()
        votes = (said[:, one.images] == one.predicted).sum(axis=0)
        assert votes.min() > 0 and (np.diff(votes) <= 0).all()


def test_without_reference_runs_nothing_is_said(store, small_data):
    assert overlap.among(Library(store, None), "fashion-mnist", small_data.test_labels, TOP_LABELS, 3) is None
