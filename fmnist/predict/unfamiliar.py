"""Is an image like those that the models learned from? And which training images are nearest to it? No torch.

A model answers whatever it is shown, and is often sure of it: the share of 100% that it gives a class is no sign that
the image is of their kind at all. So the image itself is measured here, in six ways that can be told in a sentence
(`MEASURES`). How high a measure may be is learned from training images that were held out. What was learned from
FashionMNIST comes with the project (`shipped`), so that the warning needs no download.

Checked (tests/predict/test_unfamiliar.py) with images of which nothing here has learned. It is silent for 95.1% of
FashionMNIST's test images: from 92.3% of the bags to 97.9% of the sneakers. It speaks for all noise, blank and inverted
images, for 98% of crops of photos without the cut-out (92% with it: docs/measurements.md), for 97% of letters that were
converted as drawings are, for all letters that are small in the image, and for all drawn boxes, ellipses and stars.
Clothes under noise with a deviation of 20 grey levels: 80%; of 40: 99%. On other data sets: docs/datasets.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.ndimage

from fmnist.data import files
from fmnist.data.catalog import DATASETS, Subject
from fmnist.data.files import Dataset

HELD_OUT = 20  # Each twentieth training image sets the limits; the others are what an image is compared with.
FALSE_ALARMS = 0.045  # Of held-out images. The test images then give less than 5%, and each class 2 to 8%.
COMPONENTS = 50
PCA_IMAGES = 12_000  # More change nothing that matters, and take longer.
CHUNK = 500  # Images that are turned into floats at a time: more do not fit the processor's cache.
DISTANCES = 200  # Images whose distances to all others are held at a time: 43 MB.
LIT = 12  # Of 255: a pixel over it is not background.
DIRECTIONS = 16  # In which the sides of a convex hull are looked for.
CONVEX = 0.96  # The share of its convex hull that a box or an ellipse fills at least, drawn with pixels.
ONE_SHADE = 16  # Grey levels, of 255, that pixels of one shade differ by at most from their median.
PLAIN = 0.9  # The share of a plain shape's pixels, without its edge, that have one shade.
USUAL = 0.95  # Of the images of a class, so many are as near to their nearest as is usual for it.


# --- The measures: uint8 (N, 784) -> float (N,), high for what is unlike the training images ---


def flatness(pixels: np.ndarray) -> np.ndarray:
    """Minus the standard deviation of the pixels: an image of one shade has 0, the highest."""
    return -_shares(pixels).std(axis=1)


def grain(pixels: np.ndarray) -> np.ndarray:
    """How much neighbouring pixels differ, beside how much all pixels do: the sum of the mean squared differences to
    the right and the lower neighbour, over the variance. Noise in which every pixel is on its own has 4."""
    images = _shares(pixels).reshape(-1, 28, 28)
    right, down = np.diff(images, axis=2), np.diff(images, axis=1)
    return ((right**2).mean(axis=(1, 2)) + (down**2).mean(axis=(1, 2))) / (images.var(axis=(1, 2)) + 1e-4)


def lit_border(pixels: np.ndarray) -> np.ndarray:
    """The share of the outermost ring of pixels that is not black."""
    images = pixels.reshape(-1, 28, 28) > LIT
    ring = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    return ring.mean(axis=1)


def smallness(pixels: np.ndarray) -> np.ndarray:
    """How many rows and columns of the image the item leaves free in the dimension that it fills most."""
    lit = pixels.reshape(-1, 28, 28) > LIT
    return np.minimum(_free(np.any(lit, axis=1)), _free(np.any(lit, axis=2)))


def _free(lit: np.ndarray) -> np.ndarray:
    """How many places are before the first lit one and after the last: bool (N, 28) -> int (N,); 0 if none is lit."""
    return lit.argmax(axis=1) + lit[:, ::-1].argmax(axis=1)


def plainness(pixels: np.ndarray) -> np.ndarray:
    """1 for a convex shape of one shade, such as a drawn box or ellipse; else 0.

    Either alone is frequent among clothes: bags are convex, and dark shirts have one shade.
    """
    images = pixels.reshape(-1, 28, 28)
    lit = images > LIT
    inner = scipy.ndimage.binary_erosion(lit, np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]]))
    count = np.maximum(1, inner.sum(axis=(1, 2)))
    ordered = np.sort(np.where(inner, images, 255).reshape(-1, 784), axis=1)
    median = ordered[np.arange(len(ordered)), count // 2][:, None, None]
    near = inner & (np.abs(images - median.astype(float)) <= ONE_SHADE)
    return ((near.sum(axis=(1, 2)) >= PLAIN * count) & (_solidity(lit) >= CONVEX)).astype(float)


def _solidity(lit: np.ndarray) -> np.ndarray:
    """The share of their convex hull that pixels fill: bool (N, 28, 28) -> float (N,)."""
    rows, columns = np.indices((28, 28), np.float32)
    hull = np.ones(lit.shape, bool)
    for turn in np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS:
        along = np.cos(turn) * columns + np.sin(turn) * rows
        furthest = np.where(lit, along, -np.inf).max(axis=(1, 2))
        hull &= along <= furthest[:, None, None] + 1e-3
    return lit.sum(axis=(1, 2)) / np.maximum(1, hull.sum(axis=(1, 2)))


@dataclass(frozen=True)
class Space:
    """The training images by their `COMPONENTS` principal components.

    Scaled by the fourth root of the variances: unscaled, only the rough shape would count; with all variances alike,
    as in a Mahalanobis distance, the weak components would count too much, and letters be missed. An image's place is
    kept in bytes: rounding it moves no distance by a share that matters, and takes a quarter of the room.
    """

    mean: np.ndarray  # float32 (784,)
    axes: np.ndarray  # float32 (784, COMPONENTS)
    points: np.ndarray  # int8 (N, COMPONENTS), in steps: 50 bytes an image.
    steps: np.ndarray  # float32 (COMPONENTS,)
    labels: np.ndarray  # uint8 (N,)
    usual: np.ndarray  # float (10,), of each class the distance that `USUAL` of its images do not exceed.

    @cached_property
    def norms(self) -> np.ndarray:
        """The squared length of each point, float32 (N,)."""
        return np.concatenate([((chunk * self.steps) ** 2).sum(axis=1) for chunk in _chunks(self.points, CHUNK)])

    def distance(self, pixels: np.ndarray) -> np.ndarray:
        """From each image uint8 (N, 784) to the nearest training image, beside what is usual for the class of that
        one, float (N,): bags differ more from each other than sneakers do."""
        distances, labels = self.nearest(pixels)
        return distances / self.usual[labels]

    def nearest(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distance to the nearest training image, float (N,), and its class, uint8 (N,)."""
        found = [self._nearest(chunk) for chunk in _chunks(pixels, DISTANCES)]
        return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])

    def _nearest(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = (_shares(pixels) - self.mean) @ self.axes
        squared = (-2 * points * self.steps) @ self.points.T.astype(np.float32)
        squared += self.norms
        places = squared.argmin(axis=1)
        lowest = squared[np.arange(len(places)), places] + (points**2).sum(axis=1)
        return np.sqrt(np.maximum(lowest, 0)), self.labels[places]


def _space(pixels: np.ndarray, labels: np.ndarray, others: np.ndarray, their_labels: np.ndarray) -> Space:
    """The space of images, with what is usual for others that were held out."""
    some = _shares(pixels[:: max(1, len(pixels) // PCA_IMAGES)])
    mean = some.mean(axis=0)
    some -= mean
    strongest = [len(mean) - COMPONENTS, len(mean) - 1]
    variances, axes = scipy.linalg.eigh(some.T @ some / len(some), subset_by_index=strongest)
    axes = (axes / np.maximum(variances, 1e-6) ** 0.25).astype(np.float32)
    points = np.concatenate([(_shares(chunk) - mean) @ axes for chunk in _chunks(pixels, CHUNK)])
    steps = np.maximum(np.abs(points).max(axis=0), 1e-6) / np.float32(127)
    space = Space(mean, axes, np.rint(points / steps).astype(np.int8), steps, labels.astype(np.uint8), np.ones(10))
    distances, _ = space.nearest(others)
    known = [distances[their_labels == label] if label in their_labels else distances for label in range(10)]
    return replace(space, usual=np.array([np.quantile(each, USUAL) for each in known]))


def _shares(pixels: np.ndarray) -> np.ndarray:
    """0 to 255 -> float32, 0 to 1."""
    return pixels.astype(np.float32) / 255


def _chunks(pixels: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (pixels[start : start + size] for start in range(0, len(pixels), size))


# --- The judgement ---


@dataclass(frozen=True)
class Measure:
    """A way of being unlike the training images."""

    of: Callable[[np.ndarray, Space], np.ndarray]
    weight: float  # Its part of the false alarms.
    reason: str  # For people; {images} is the number of training images, {thing}, {things} and {side} what they show.


MEASURES = (
    # In the order in which reasons are looked for: noise has a light border, too, and is far from everything.
    Measure(
        lambda pixels, _: flatness(pixels),
        0.5,
        "It is almost all one shade: there is nothing to see in it.",
    ),
    Measure(
        lambda pixels, _: grain(pixels),
        0.5,
        "It looks like noise: neighbouring pixels differ much more than in pictures of {things}.",
    ),
    Measure(
        lambda pixels, _: plainness(pixels),
        0.5,
        "It is a plain shape of one shade, without anything that pictures of {things} have inside.",
    ),
    Measure(
        lambda pixels, _: lit_border(pixels),
        2,
        "Its border is not black: in the training images, the {thing} is on black, and hardly ever fills the "
        "whole square.",
    ),
    Measure(
        lambda pixels, _: smallness(pixels),
        0.5,
        "The {thing} is small: in the training images, its longer side takes up {side} of the 28 pixels.",
    ),
    Measure(
        lambda pixels, space: space.distance(pixels),
        5,
        "Even the closest of the {images} training images is very different.",
    ),
)


@dataclass(frozen=True)
class Familiarity:
    """What the training images of a data set look like: made by `learn`, 3 MB for FashionMNIST."""

    images: int  # in the training data
    subject: Subject  # what they show
    space: Space
    held_out: tuple[np.ndarray, ...]  # Each measure of the held-out images, float (N,), ascending.
    limit: float

    def reasons(self, images: np.ndarray) -> list[str | None]:
        """Why each image, uint8 (N, 28, 28), is unlike the training data, in a sentence; None if it is like them."""
        unlike = (self._shares(images) < self.limit).T
        return [self._sentence(MEASURES[which.argmax()]) if which.any() else None for which in unlike]

    def distances(self, images: np.ndarray) -> np.ndarray:
        """How far each image, uint8 (N, 28, 28), is from the nearest training image: float (N,), 1 is much."""
        return self.space.distance(images.reshape(len(images), -1))

    def _sentence(self, measure: Measure) -> str:
        subject = self.subject
        return measure.reason.format(
            images=f"{self.images:,}", thing=subject.thing, things=subject.things, side=subject.framing.side
        )

    def _shares(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), -1)
        return shares_as_high(self.held_out, [measure.of(pixels, self.space) for measure in MEASURES])


def shares_as_high(held_out: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    """For each measure, the share of held-out images with such a value or a higher one, over the measure's weight.

    Args:
        held_out: of each measure, ascending, float (M,).
        values: of each measure, float (N,).

    Returns:
        float (measures, N).
    """
    return np.array(
        [
            (1 - np.searchsorted(known, found) / len(known)) / measure.weight
            for measure, known, found in zip(MEASURES, held_out, values, strict=True)
        ]
    )


def learn(data: Dataset) -> Familiarity:
    """Look at the training images of a data set."""
    pixels = data.train_images.reshape(len(data.train_images), -1)
    out = np.arange(len(pixels)) % HELD_OUT == 0
    labels = data.train_labels
    space = _space(pixels[~out], labels[~out], pixels[out], labels[out])
    values = [measure.of(pixels[out], space) for measure in MEASURES]
    held_out = tuple(map(np.sort, values))
    lowest = shares_as_high(held_out, values).min(axis=0)
    return Familiarity(len(pixels), data.info.subject, space, held_out, float(np.quantile(lowest, FALSE_ALARMS)))


# --- What was learned, as a file ---


def save(known: Familiarity, path: Path) -> None:
    """Write what was learned into a file, without pickle: the same bytes each time."""
    space = known.space
    np.savez_compressed(
        path,
        images=known.images,
        mean=space.mean,
        axes=space.axes,
        points=space.points,
        steps=space.steps,
        labels=space.labels,
        usual=space.usual,
        held_out=np.stack(known.held_out).astype(np.float64),
        limit=known.limit,
    )


def shipped_path(dataset: str) -> Path:
    """Where what was learned of a data set lies if it comes with the project."""
    return files.SHIPPED / f"{dataset}-familiar.npz"


def shipped(dataset: str) -> Familiarity | None:
    """What was learned of a data set, where that comes with the project and is undamaged; it is the same as `learn`
    gives."""
    try:
        with np.load(shipped_path(dataset), allow_pickle=False) as stored:
            space = Space(*(stored[field.name] for field in fields(Space)))
            limit, held_out = float(stored["limit"]), tuple(stored["held_out"])
            return Familiarity(int(stored["images"]), DATASETS[dataset].subject, space, held_out, limit)
    except Exception:  # What NumPy raises for damaged bytes is not settled.
        return None


# --- Neighbours ---


def nearest(images: np.ndarray, image: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The images that are nearest to one, pixel by pixel: the nearest first, ties by their number.

    Computed anew for each image, in float64, where sums of squares of whole numbers are exact: 30 ms for 60,000
    images. Kept as floats, they would be quicker to compare, and take 188 MB.

    Args:
        images: uint8 (N, 28, 28).
        image: uint8 (28, 28).

    Returns:
        Their indices, int (count,), and their Euclidean distances in grey levels, float64 (count,).
    """
    squared = np.empty(len(images))
    for start in range(0, len(images), CHUNK):
        differences = images[start : start + CHUNK].reshape(-1, image.size).astype(np.float64)
        differences -= image.ravel()
        squared[start : start + CHUNK] = np.einsum("ij,ij->i", differences, differences)
    order = np.argsort(squared, kind="stable")[:count]
    return order, np.sqrt(squared[order])
