"""What a data set is, in a sentence, counted over its images."""

from __future__ import annotations

import numpy as np

from fmnist.data.files import Dataset, TestSet


def describe(images: TestSet) -> str:
    """What the images show, how many there are, and whether the classes are of equal size: plain sentences.

    Args:
        images: a whole data set, or the test images alone.
    """
    splits, tested = [images.test_labels], f"{len(images.test_labels):,}"
    count, use = tested, "to test the models on"
    if isinstance(images, Dataset):
        splits.append(images.train_labels)
        count = f"{len(images.train_labels) + len(images.test_labels):,}"
        use = f"{len(images.train_labels):,} to learn from, {tested} to test"
    equal = all(len({*np.bincount(labels, minlength=10)}) == 1 for labels in splits)
    separator = ":" if isinstance(images, Dataset) else ","
    return (
        f"{count} grey pictures of {images.info.subject.things}, 28 × 28 pixels{separator} {use}. "
        f"Ten classes{' of equal size' if equal else ''}."
    )
