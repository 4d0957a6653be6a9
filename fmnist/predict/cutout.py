"""The item in a photo with a busy background: a bed, a carpet, tiles. Needs OpenCV, which is imported when asked."""

import numpy as np

from fmnist.predict.light import ring

SIDE = 200  # pixels: what the longer edge is reduced to; enough for 28, and GrabCut takes a tenth of a second
RING = 0.03  # of the shorter edge: so thick is the border whose colours are the background's
COLOURS = 4  # that a border is taken to have
NEAR = 12  # a colour this near to one of the border's, in CIELAB, is background; just seen side by side is 2
RARE = 0.03  # share of the border: a colour that has less is an item's that reaches the edge
ROUNDS = 4  # of GrabCut
MIDDLE = 0.5  # share of each edge: what lies in the middle of the picture, where people put the item
BEFORE = 0.72  # share of each edge: where the item is supposed to be when colours do not tell
FOUND = 0.3  # share of the middle that an item covers, at least
ALL = 0.9  # share of the picture that an item covers, at most
ASIDE = 0.15  # share of each edge, added up: how far from the middle of the picture the middle of an item is, at most
APART = 1.2  # of the spread of both: how far the mean colours of an item and of its background are apart, at least
PART = 0.2  # of the area of the largest part: a smaller one is none of the item's


def cut_out(rgb: np.ndarray) -> np.ndarray | None:
    """Where the item is in a photo whose background has several colours.

    What has the border's colours and is connected with the border is background; GrabCut (Rother, Kolmogorov, Blake
    2004) then learns from both sides which colours they have, and where the outline runs. The same picture always has
    the same answer.

    Args:
        rgb: uint8 (height, width, 3).

    Returns:
        bool (height, width); None if nothing can be told apart, or what was found is none that somebody photographed:
        a part of a landscape lies somewhere, and has about the colours of the rest.

    Raises:
        ImportError: OpenCV is not installed.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.medianBlur(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), 3)
    middle, before = _block(small, MIDDLE), _block(small, BEFORE)
    supposed = ~_background(small)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    supposed = cv2.morphologyEx(supposed.astype(np.uint8), cv2.MORPH_OPEN, brush) > 0
    if supposed[middle].mean() < FOUND or supposed.mean() > ALL:
        supposed = before
    found = _refined(small, supposed)
    if found[middle].mean() < FOUND / 2:  # It took a print for the item.
        found = _refined(small, before)
        if found[middle].mean() < FOUND:
            found = supposed
    count, parts, figures, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    if count < 2 or found.all() or (found == before).all():
        return None
    areas = figures[1:, cv2.CC_STAT_AREA]
    kept = np.isin(parts, np.flatnonzero(areas >= PART * areas.max()) + 1)
    if _aside(kept) > ASIDE or _apart(small, kept) < APART:
        return None
    return cv2.resize(kept.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def _aside(item: np.ndarray) -> float:
    """How far an item's centre of mass is from the middle of the picture, bool (height, width).

    In shares of the edges, across and down, added up.
    """
    places = zip(np.nonzero(item), item.shape, strict=True)
    return float(sum(abs(along.mean() / edge - 0.5) for along, edge in places))


def _apart(picture: np.ndarray, item: np.ndarray) -> float:
    """How far apart the mean colours, in CIELAB, of an item, bool (height, width), and of the rest of its picture are.

    In units of how much colours spread within the two. The picture is uint8 (height, width, 3).
    """
    import cv2

    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    sides = lab[item], lab[~item]
    spread = np.sqrt(np.mean([side.var(axis=0).sum() for side in sides]))
    return float(np.linalg.norm(sides[0].mean(axis=0) - sides[1].mean(axis=0)) / max(1, spread))


def _block(picture: np.ndarray, share: float) -> np.ndarray:
    """The middle of a picture (height, width, ...): bool (height, width), that share of each edge."""
    height, width = picture.shape[:2]
    y, x = (np.abs(np.arange(edge) / edge - 0.5) < share / 2 for edge in (height, width))
    return y[:, None] & x


def _ring(picture: np.ndarray, share: float) -> np.ndarray:
    """The border of a picture (height, width, ...): bool (height, width), that share of the shorter edge thick."""
    height, width = picture.shape[:2]
    return ring(height, width, max(1, round(min(height, width) * share)))


def _background(picture: np.ndarray) -> np.ndarray:
    """Which pixels of a picture, uint8 (height, width, 3), have the border's colours and are connected with it."""
    import cv2

    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    edge = lab[_ring(picture, RING)]
    cv2.setRNGSeed(0)
    enough = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, labels, colours = cv2.kmeans(edge, COLOURS, None, enough, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    alike = np.zeros(picture.shape[:2], bool)
    for number, colour in enumerate(colours):
        members = edge[labels[:, 0] == number]
        if len(members) >= RARE * len(edge):
            spread = np.sqrt(((members - colour) ** 2).sum(axis=1).mean())
            alike |= np.sqrt(((lab - colour) ** 2).sum(axis=2)) < max(NEAR, 2 * spread)
    _, parts = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    outside = np.unique(parts[_ring(parts, 0)])
    return np.isin(parts, outside[outside > 0])


def _refined(picture: np.ndarray, supposed: np.ndarray) -> np.ndarray:
    """Where GrabCut finds the item in a picture, uint8 (height, width, 3), when it is supposed in bool (height, width).

    Pixels of the border where it is not supposed are background for sure.
    """
    import cv2

    marks = np.where(supposed, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[_ring(supposed, 0.02) & ~supposed] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(picture, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    except cv2.error:  # It wants some pixels on both sides.
        return supposed
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
