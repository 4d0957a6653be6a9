"""One picture of each class, side by side: what a data set looks like at a glance."""

from __future__ import annotations

import numpy as np

from fmnist.data import files
from fmnist.data.files import TestSet

EXAMPLES = (85, 2, 20, 29, 57, 82, 7, 36, 30, 39)
"""FashionMNIST's test images, one of each class, in which the class is easy to recognise."""


def shipped(name: str) -> bytes | None:
    """The pictures that come with the project, so that neither a download nor reading 10,000 images is needed for
    them: a PNG as `strip` makes it, of `EXAMPLES`; None for a data set of which none come."""
    path = files.SHIPPED / f"{name}-examples.png"  # A few kilobytes: read at each run of the page.
    return path.read_bytes() if path.is_file() else None


def first_of_each(images: TestSet) -> list[int]:
    """The first test image of each class, for data sets of which nobody has chosen any."""
    return [int(np.flatnonzero(images.test_labels == label)[0]) for label in range(len(images.info.classes))]


def strip(images: TestSet, indices: list[int] | tuple[int, ...]) -> np.ndarray:
    """Some test images side by side, uint8 (28, 28 * N)."""
    return np.hstack(list(images.test_images[list(indices)]))
