"""What would help: the one change of an image after which all models agree and are sure. No torch, no Streamlit.

Where the models disagree, are unsure, or have an image before them that is unlike their training images, each of
`CHANGES` is tried. If exactly one leads to an answer that is settled (`Seen.settled`) and new, it is suggested. How
often that is right: bench/suggestions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from fmnist.data.catalog import DatasetInfo
from fmnist.data.peculiarities import SHOES, point_left
from fmnist.predict import conversion
from fmnist.predict.verdict import Answer

NEARER = 0.8
"""Of its distance from the training images, so much is left where an image has come clearly nearer."""
DRAWN = 64
"""Of 255: a pixel over it belongs to the lines of an outline."""
OUTLINE = 1.5
"""By so much, at least, filling makes an outline cover more: a bag with a handle, or a sandal, is no outline."""


Image = np.ndarray
"""uint8 (28, 28), light on black as a rule."""


@dataclass(frozen=True)
class Change:
    """A way to change an image that may help.

    Attributes:
        why: it may help, in a sentence without its full stop; {share} is that of the shoes that point left among the
            images of {split}.
        makes_sense: whether to try it, by the image before and after it.
        moves: whether it only moves pixels, so that shade, size and border are neither better nor worse after it.
        leads_to: the classes of which it can be said; empty for all.
    """

    name: str
    of: Callable[[Image], Image]
    why: str
    makes_sense: Callable[[Image, Image], bool] = lambda before, after: True
    moves: bool = False
    leads_to: tuple[str, ...] = ()


def filled(image: Image) -> Image:
    """An outline with what it encloses, in its own shade; gaps of a pixel or two count as closed."""
    lines = image > DRAWN
    if not lines.any():
        return image
    closed = scipy.ndimage.binary_closing(np.pad(lines, 2), np.ones((3, 3)))[2:-2, 2:-2] | lines
    inside = scipy.ndimage.binary_fill_holes(closed) & ~lines
    return np.where(inside, np.uint8(np.median(image[lines])), image)


def _comes_to_point_left(before: Image, after: Image) -> bool:
    return point_left(np.stack([before, after])).tolist() == [False, True]


def _was_outline(before: Image, after: Image) -> bool:
    return bool((after > DRAWN).sum() >= OUTLINE * (before > DRAWN).sum())


MIRRORED = "Mirrored"
CHANGES = (
    Change(
        MIRRORED,
        lambda image: image[:, ::-1].copy(),
        "in the {split} images, {share} of shoes point left",
        _comes_to_point_left,
        True,
        SHOES,
    ),
    Change("Filled", filled, "the training images show filled shapes, not outlines", _was_outline),
    Change(
        "Brightened",
        lambda image: conversion.stretch(image, 0),
        "in the training images, the lightest pixel is nearly always white",
    ),
    Change("Inverted", lambda image: 255 - image, "in the training images, what is shown is light on black"),
)


@dataclass(frozen=True)
class Seen:
    """What there is to say of an image.

    Attributes:
        answers: of all models.
        strange: why it is unlike the training images; None if it is like them.
        distance: from the nearest training image.
    """

    answers: Sequence[Answer]
    strange: str | None
    distance: float

    @property
    def said(self) -> int | None:
        """The class that all models say, most of the seeds of each; None if they disagree."""
        tops = {answer.top for answer in self.answers}
        return tops.pop() if len(tops) == 1 and all(answer.backed for answer in self.answers) else None

    @property
    def settled(self) -> bool:
        """Whether all models agree and are sure, and the image is like the training images."""
        return self.is_sure and self.strange is None

    @property
    def is_sure(self) -> bool:
        return self.said is not None and all(answer.is_sure for answer in self.answers)


def tries(image: Image, info: DatasetInfo) -> dict[str, Image]:
    """The image after each change that makes a difference and sense, by the change's name.

    Args:
        info: of the data set that the models know. Who knows clothes can be helped by filling and mirroring; writing
            would become something else.
    """
    found = {}
    for change in CHANGES if info.subject.filled else CHANGES[2:]:
        after = change.of(image)
        if (after != image).any() and change.makes_sense(image, after):
            found[change.name] = after
    return found


def choose(as_it_is: Seen, tried: Mapping[str, Seen]) -> Change | None:
    """The change to suggest: the only one that settles the answer, and not on what all models say anyway.

    Where a change only moves pixels, shade, size and border stay as they were. An image may be unlike the training
    images after it for the same reason as before, if it has come clearly nearer to them.
    """
    if as_it_is.settled:
        return None
    helpful = [change for change in CHANGES if change.name in tried and _helps(change, as_it_is, tried[change.name])]
    return helpful[0] if len(helpful) == 1 else None


def _helps(change: Change, as_it_is: Seen, seen: Seen) -> bool:
    as_before = change.moves and seen.is_sure and seen.strange == as_it_is.strange
    nearer = as_before and seen.distance <= NEARER * as_it_is.distance
    if not (seen.settled or nearer) or seen.said == as_it_is.said:
        return False
    return not change.leads_to or seen.answers[0].said in change.leads_to
