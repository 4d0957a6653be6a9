"""Some test images: one of each class, to show data at a glance; a dozen, to ask a model about while it learns."""

from __future__ import annotations

import numpy as np

from fmnist.data import files
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import TestSet

EXAMPLES = (85, 2, 20, 29, 57, 82, 7, 36, 30, 39)
"""FashionMNIST's test images, one of each class, in which the class is easy to recognise."""


WATCHED = (177, 2, 991, 72, 1543, 1593, 2018, 183, 7, 483, 53, 1768)
"""FashionMNIST's test images whose answers are shown while a model learns: of each class, in order of the class; some
are easy, some are answered rightly late, or by some models alone."""


def shipped(name: str) -> bytes | None:
    """The pictures that come with the project, so that neither a download nor reading 10,000 images is needed for
    them: a PNG as `strip` makes it, of `EXAMPLES`; None for a data set of which none come."""
    path = files.SHIPPED / f"{name}-examples.png"  # A few kilobytes: read at each run of the page.
    return path.read_bytes() if path.is_file() else None


def first_of_each(images: TestSet) -> list[int]:
    """The first test image of each class, for data sets of which nobody has chosen any."""
    return [int(np.flatnonzero(images.test_labels == label)[0]) for label in range(len(images.info.classes))]


def watched(images: TestSet) -> list[int]:
    """A dozen test images, always the same: `WATCHED`, or of other data the first of each class, and the first two of
    the others."""
    if images.name == DEFAULT and len(images.test_labels) > max(WATCHED):
        return list(WATCHED)
    labels = images.test_labels
    first = np.unique(labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(labels)), first)[: len(WATCHED) - len(first)]
    return sorted(map(int, [*first, *others]), key=lambda image: labels[image])


def strip(images: TestSet, indices: list[int] | tuple[int, ...]) -> np.ndarray:
    """Some test images side by side, uint8 (28, 28 * N)."""
    return np.hstack(list(images.test_images[list(indices)]))
