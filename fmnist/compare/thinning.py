"""Which points of a long curve are drawn: so many that nothing is missed, and no more. No Streamlit, no torch.

A chart is some thousand pixels wide. A run of 300 epochs has 22,500 points, and twelve such runs take half a minute to
reach the screen. Every line that is drawn passes through here; files that are exported have all points.
"""

from __future__ import annotations

import numpy as np

MAX_POINTS = 1000
"""Of a line."""


def width_of(points: int, curves: int = 1) -> int:
    """How many neighbouring points stand for each other in a line of this length: a power of two.

    Args:
        curves: that share the line's positions, such as loss and accuracy.
    """
    width = 1
    while points > MAX_POINTS and 2 * curves * -(-points // width) > MAX_POINTS - 2:
        width *= 2
    return width


def settled(points: int, curves: int = 1) -> int:
    """Of how many of the first points is decided whether they are kept, while the line grows at the same width."""
    width = width_of(points, curves)
    return max(0, points - 1) // width * width


def kept(*curves: np.ndarray) -> np.ndarray:
    """The places of the points to draw, ascending: of every bucket the lowest and the highest, and both ends.

    A bucket is `width_of` neighbours, counted from the first point. So what is kept of the first ones does not change
    while the line grows (`settled`), until buckets are joined two by two.

    Args:
        curves: float (N,) each, values at the same N positions. All of them is kept of N up to `MAX_POINTS`.

    Returns:
        integer (K,), K at most `MAX_POINTS`.
    """
    points = len(curves[0])
    width = width_of(points, len(curves))
    if width == 1:
        return np.arange(points)
    places = [np.array([0, points - 1])]
    for curve in curves:
        # A value that is no number is neither the lowest nor the highest.
        values = np.asarray(curve, np.float64)
        rest = -points % width
        for fill, lowest in ((np.inf, True), (-np.inf, False)):
            buckets = np.append(np.where(np.isnan(values), fill, values), np.full(rest, fill)).reshape(-1, width)
            found = buckets.argmin(axis=1) if lowest else buckets.argmax(axis=1)
            places.append(np.arange(len(buckets)) * width + found)
    return np.unique(np.minimum(np.concatenate(places), points - 1))


def spread(values: np.ndarray, most: int) -> np.ndarray:
    """The places of the values to draw where there are more than can be told apart, ascending.

    They are taken evenly from the lowest to the highest, so that they lie densely where the values do: what is drawn
    has the same distribution as all.

    Args:
        values: float (N,).
        most: how many are drawn; 2 at least. Of as many or fewer all are.

    Returns:
        integer (K,), K at most `most`.
    """
    if len(values) <= most:
        return np.arange(len(values))
    order = np.argsort(values, kind="stable")
    return np.sort(order[np.linspace(0, len(values) - 1, most).round().astype(int)])
