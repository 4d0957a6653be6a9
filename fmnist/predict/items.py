"""Several items in one picture: where each of them is."""

import numpy as np

GAP = 0.09  # of the longer edge of all that is found: items are so far apart; none of 10,000 test images is divided
SMALLEST = 0.25  # of the largest item's pixels: less is a label or a lace, no item

SPREAD = 1.4  # width over height; most shoes are wider

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def bounding_box(mask: np.ndarray) -> Box | None:
    """What is left of a mask when rows and columns of background are cut off at the edges; None if nothing is.

    A row or column is background if all its pixels are, but for dust: one pixel where the longest edge has 400
    or more, two from 800 on. That is a tenth of the width of a strap or a heel.
    """
    dust = max(mask.shape) // 400
    columns = np.flatnonzero(mask.sum(axis=0) > dust)
    rows = np.flatnonzero(mask.sum(axis=1) > dust)
    if not len(columns) or not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def boxes(mask: np.ndarray) -> list[Box]:
    """The box of each item in a mask, bool (height, width), the largest first; of all together if they are one item.

    Items are apart where a straight strip of background, across or down, lies between them.
    """
    whole = bounding_box(mask)
    if whole is None:
        return []
    left, top, right, bottom = whole
    gap = max(2, round(GAP * max(right - left, bottom - top)))
    found = [(int(mask[box[1] : box[3], box[0] : box[2]].sum()), box) for box in _parts(mask, whole, gap)]
    found.sort(key=lambda item: -item[0])
    items = [box for pixels, box in found if pixels >= SMALLEST * found[0][0]]
    return items if len(items) > 1 else [whole]


def touches(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box reaches an edge of a picture of that height and width."""
    left, top, right, bottom = box
    return left == 0 or top == 0 or right == shape[1] or bottom == shape[0]


def is_spread(box: Box) -> bool:
    """Whether an item is a little wider than high, as a top with its sleeves spread is.

    People lay clothes on a bed; the data set's hang: of its tops the median is 0.75 times as wide as high. 343 of 4,000
    test images are of such a width themselves (boots, sandals, bags): narrowed, as many of them are recognised.
    """
    left, top, right, bottom = box
    return 1 < (right - left) / (bottom - top) < SPREAD


def _parts(mask: np.ndarray, box: Box, gap: int) -> list[Box]:
    """What strips of background divide a box into, each part in turn."""
    left, top, right, bottom = box
    inside = mask[top:bottom, left:right]
    dust = max(mask.shape) // 400
    for axis, start in ((0, left), (1, top)):
        filled = np.flatnonzero(inside.sum(axis=axis) > dust)
        cuts = np.flatnonzero(np.diff(filled) > gap)
        if not len(cuts):
            continue
        begins, ends = filled[[0, *(cuts + 1)]] + start, filled[[*cuts, -1]] + start + 1
        found: list[Box] = []
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            part = np.zeros_like(mask)
            area = (slice(None), slice(begin, end)) if axis == 0 else (slice(begin, end), slice(None))
            part[area] = mask[area]
            part[:top], part[bottom:], part[:, :left], part[:, right:] = False, False, False, False
            smaller = bounding_box(part)
            if smaller is not None:
                found += _parts(mask, smaller, gap)
        return found
    return [box]
