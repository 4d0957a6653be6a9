"""Generated sample data: ten classes of silhouettes of clothes, for a machine without FashionMNIST.

An image is made in two steps. A function for its class draws the item with Pillow as a few flat parts of
random shape. Then NumPy gives a whole block of images their cloth: grey level, pattern, noise.

The classes and their order are those of FashionMNIST, and so is the look: a light item on black, its longer
side about as long as the image (Xiao et al. 2017, https://arxiv.org/abs/1708.07747). No pixel comes from
there, and accuracy on these pictures says nothing about accuracy on FashionMNIST.
"""

from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from fmnist.data.framing import SIDE

VERSION = 1
"""Raised whenever the same seed gives other pictures, so that no cache serves old ones."""

_OVERSAMPLING = 3  # parts are drawn this much larger, then averaged: Pillow's polygons have no smooth edges
_CLOTH = 200  # canvas value of tone 1, below 255 so that a part can be lighter than the rest
_BLOCK = 1000  # images painted at once: bounds the memory, some 50 MB, however many are asked for

Point = tuple[float, float]


class Part(NamedTuple):
    """One flat piece of an item. x runs right, y down; the unit is free, as every item is scaled to fit."""

    points: list[Point]
    tone: float = 1.0  # brightness relative to the item's cloth; 0 cuts a hole
    width: float = 0.0  # > 0: a stroke of this width along the points; 0: the polygon that they enclose


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` labelled images. The same arguments give the same bytes (under the same NumPy and Pillow).

    Parameters
    ----------
    count : how many images, at least 0
    seed : any non-negative integer; train and test images come from different ones

    Returns
    -------
    images : uint8, (count, 28, 28), 0 is the background
    labels : int64, (count,), 0..9 as in FashionMNIST, in random order; class sizes differ by at most 1
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(_SHAPES))
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, _BLOCK):
        block = labels[start : start + _BLOCK]
        flat = np.stack([_rasterise(_fit(_SHAPES[label](rng), rng)) for label in block])
        images[start : start + _BLOCK] = _paint(flat, rng)
    return images, labels


# --- Shapes: one function per class, in units of about the item's longer side. Toes point left.


def _tshirt(rng: Generator) -> list[Part]:
    shoulder, hem = rng.uniform(0.24, 0.32), rng.uniform(0.22, 0.32)
    sleeves = _sleeves(shoulder, rng.uniform(0.16, 0.42), rng.uniform(0.3, 0.9), rng.uniform(0.15, 0.21))
    return [
        *(sleeves if _chance(rng, 0.9) else []),
        _torso(rng, shoulder, hem),
        *(_collar(rng) if _chance(rng, 0.1) else [_neck(rng)]),
        *_print(rng, 0.4),
    ]


def _trouser(rng: Generator) -> list[Part]:
    waist, hip, crotch = rng.uniform(0.11, 0.16), rng.uniform(0.14, 0.19), rng.uniform(0.26, 0.38)
    ankle, inner = rng.uniform(0.07, 0.13), rng.uniform(0.0, 0.1)
    knee = (hip + inner + ankle) / 2
    leg = [(0, 0), (waist, 0), (hip, 0.25), (knee, 0.6), (inner + ankle, 1), (inner, 1), (0, crotch)]
    legs = [Part(leg), Part(_flipped(leg), rng.uniform(0.85, 1.0))]
    belt = Part([(-waist, 0.03), (waist, 0.03)], rng.uniform(0.5, 1.2), 0.03)
    return [*legs, belt, Part([(0, 0.03), (0, 0.6)], 0.5, 0.015)]


def _pullover(rng: Generator) -> list[Part]:
    shoulder, hem = rng.uniform(0.2, 0.28), rng.uniform(0.2, 0.3)
    return [
        *_long_sleeves(rng, shoulder),
        _torso(rng, shoulder, hem),
        *_armhole_shadows(rng, shoulder, hem),
        Part([(-hem, 0.97), (hem, 0.97)], rng.uniform(0.7, 1.15), 0.06),  # the ribbed waistband
        _neck(rng),
        *([_zip(rng, 0.45)] if _chance(rng, 0.15) else _print(rng, 0.4)),
    ]


def _dress(rng: Generator) -> list[Part]:
    shoulder, waist = rng.uniform(0.1, 0.17), rng.uniform(0.09, 0.15)
    waistline, hem = rng.uniform(0.32, 0.5), rng.uniform(0.12, 0.3)
    bodice = [(0.05, 0), (shoulder, 0.03), (shoulder * 0.9, 0.2), (waist, waistline)]
    sleeves = []
    if _chance(rng, 0.45):
        sleeves = _sleeves(shoulder, rng.uniform(0.1, 0.45), rng.uniform(0.15, 0.5), rng.uniform(0.09, 0.13))
    belt = Part([(-waist, waistline), (waist, waistline)], rng.uniform(0.5, 1.2), 0.03)
    return [*sleeves, Part(_mirrored([*bodice, (hem, 1)])), belt, _neck(rng, 0.7)]


def _coat(rng: Generator) -> list[Part]:
    shoulder, hem = rng.uniform(0.2, 0.27), rng.uniform(0.2, 0.3)
    lapel = [(0.03, 0), (0.11, 0.04), (0.08, rng.uniform(0.15, 0.35)), (0, 0.3)]
    gap = rng.uniform(0.01, 0.05)
    pocket = [(0.08, 0.66), (hem * 0.8, rng.uniform(0.62, 0.7))]
    return [
        *_long_sleeves(rng, shoulder),
        _torso(rng, shoulder, hem),
        *_armhole_shadows(rng, shoulder, hem),
        *_both(lapel, rng.uniform(0.6, 1.25)),
        *([Part([(0, 0.2), (gap, 1), (-gap, 1)], 0)] if _chance(rng, 0.4) else []),
        _zip(rng, 1),
        *(_both(pocket, 0.5, 0.02) if _chance(rng, 0.6) else []),
    ]


def _sandal(rng: Generator) -> list[Part]:
    heel = _one_of(rng, 0.02, 0.02, 0.1, 0.4) * rng.uniform(0.7, 1.3)
    foot = _footprint(heel)
    stiletto = [(0.86, -heel), (1, -heel), (0.97, 0.03), (0.97 - rng.uniform(0.03, 0.12), 0.03)]
    wedge = [*foot, (0.97, 0.04), (0, 0.04)]
    return [
        Part(foot, rng.uniform(0.8, 1.2), rng.uniform(0.05, 0.08)),
        Part(stiletto if heel > 0.2 and _chance(rng, 0.6) else wedge, rng.uniform(0.7, 1.1)),
        *_straps(rng, heel),
    ]


def _straps(rng: Generator, heel: float) -> list[Part]:
    """A line over the foot, and straps that rise to it from the sole, with holes between them."""
    foot, top = _footprint(heel), -heel - rng.uniform(0.2, 0.35)
    toe, instep = rng.uniform(0.1, 0.2), rng.uniform(0.2, 0.3)
    slide = [(0.06, 0), (0.22, -toe), (0.45, -instep - 0.15 * heel), (0.66, -0.75 * heel)]
    ankle = [(0.55, -0.6 * instep - 0.45 * heel), (0.68, top + 0.05), (0.95, top), (0.98, -heel)]
    over, last = (slide, 0.45) if _chance(rng, 0.4) else ([*slide[:3], *ankle], 0.75)
    parts = [Part(over, 1, rng.uniform(0.04, 0.08))]
    for start in np.linspace(0.2, last, rng.integers(1, 4)):
        end = start + rng.uniform(-0.15, 0.2)
        strap = [(start, _height(foot, start)), (end, _height(over, end))]
        parts.append(Part(strap, rng.uniform(0.8, 1.2), rng.uniform(0.05, 0.13)))
    if _chance(rng, 0.3):  # a closed heel
        parts.append(Part([(0.75, -heel), (0.98, -heel), (0.95, _height(over, 0.95))]))
    return parts


def _shirt(rng: Generator) -> list[Part]:
    shoulder, hem = rng.uniform(0.2, 0.3), rng.uniform(0.2, 0.32)
    if _chance(rng, 0.35):
        sleeves = _sleeves(shoulder, rng.uniform(0.2, 0.45), rng.uniform(0.3, 0.9), rng.uniform(0.14, 0.2))
        parts = [*sleeves, _torso(rng, shoulder, hem)]
    else:
        sleeves = _long_sleeves(rng, shoulder)
        parts = [*sleeves, _torso(rng, shoulder, hem), *_armhole_shadows(rng, shoulder, hem)]
    if _chance(rng, 0.1):  # a blouse
        return [*parts, _neck(rng)]
    placket = Part([(0, 0.1), (0, 1)], _one_of(rng, 0.5, 0.6, 1.27), 0.07)
    dot = rng.uniform(0.1, 0.4)
    buttons = [Part([(0, y), (0, y + 0.045)], dot, 0.045) for y in np.arange(0.2, 0.95, 0.13)]
    return [*parts, placket, *buttons, *_collar(rng)]


def _sneaker(rng: Generator) -> list[Part]:
    ankle, collar, toe = rng.uniform(0.27, 0.55), rng.uniform(0.48, 0.64), rng.uniform(0.12, 0.2)
    upper = [(0, 0), (0.01, -0.6 * toe), (0.1, -toe), (0.32, -toe - 0.05), (collar, -ankle)]
    heel = [(0.78, -ankle + rng.uniform(0.0, 0.1)), (0.95, -ankle - 0.02), (1, -0.2), (0.98, 0)]
    return [
        Part(upper + heel),
        *_laces(rng, (0.34, -toe - 0.02), (collar, -ankle + 0.05)),
        *_sole(rng, heel=0.0),
        *_print(rng, 0.5, at=(rng.uniform(0.5, 0.75), -0.15), size=0.1),
    ]


def _bag(rng: Generator) -> list[Part]:
    top, bottom, height = rng.uniform(0.3, 0.5), rng.uniform(0.38, 0.5), rng.uniform(0.45, 0.95)
    body = [(top * 0.9, 0), (top, 0.05), (bottom, height - 0.05), (bottom * 0.94, height)]
    grip, rise = top * rng.uniform(0.4, 0.95), rng.uniform(0.1, 0.6)
    handle = Part(_arc(0, 0.02, grip, rise, pi, 2 * pi), rng.uniform(0.7, 1.1), rng.uniform(0.03, 0.06))
    parts = [handle] if _chance(rng, 0.75) else []
    parts.append(Part(_mirrored(body)))
    if _chance(rng, 0.6):
        flap = rng.uniform(0.25, 0.6) * height
        parts.append(Part(_mirrored([(top, 0.04), (top, flap * 0.7), (0.1, flap)]), rng.uniform(0.7, 1.25)))
        parts.append(Part([(-0.03, flap), (0.03, flap)], _one_of(rng, 0.2, 1.27), 0.06))
    return parts + _print(rng, 0.2, at=(0, height / 2), size=0.15)


def _boot(rng: Generator) -> list[Part]:
    heel, shaft = _one_of(rng, 0.03, 0.08, 0.25) * rng.uniform(0.7, 1.3), rng.uniform(0.4, 0.95)
    front, back, toe = rng.uniform(0.42, 0.58), rng.uniform(0.92, 1.0), rng.uniform(0.14, 0.22)
    top = -heel - shaft
    foot = [(0, -0.6 * toe), (0.1, -toe), (0.3, -toe - 0.07), (front, -0.33 - heel / 2)]
    leg = [(front - rng.uniform(-0.05, 0.05), top), (back, top), (0.95, -heel - 0.3)]
    parts = [Part([*foot, *leg, *reversed(_footprint(heel))]), *_sole(rng, heel)]
    if _chance(rng, 0.5):
        return [*parts, *_laces(rng, (0.32, -toe - 0.05), (front + 0.02, top + 0.1))]
    elastic = [(0.62, top), (0.82, top), (0.76, top + 0.5 * shaft), (0.68, top + 0.5 * shaft)]
    return [*parts, Part(elastic, rng.uniform(0.4, 0.8))]


_SHAPES = (_tshirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _boot)  # by label


# --- Pieces that several shapes share.


def _torso(rng: Generator, shoulder: float, hem: float) -> Part:
    chest = shoulder * rng.uniform(0.88, 1.0)
    waist = (chest + hem) / 2 * rng.uniform(0.86, 1.02)
    return Part(_mirrored([(0.08, 0), (shoulder, 0.06), (chest, 0.3), (waist, 0.62), (hem, 1)]))


def _sleeves(shoulder: float, length: float, angle: float, width: float, tone: float = 1.0) -> list[Part]:
    """A pair of sleeves; `angle` is how far they are lifted from hanging straight down, in radians."""
    top = 0.04
    tip = (shoulder + length * sin(angle), top + length * cos(angle))
    cuff = (tip[0] - 0.75 * width * cos(angle), tip[1] + 0.75 * width * sin(angle))
    pit = (shoulder - 0.05, top + 1.3 * width)
    return _both([(shoulder - 0.06, top), (shoulder, top), tip, cuff, pit], tone)


def _long_sleeves(rng: Generator, shoulder: float) -> list[Part]:
    length, angle, width = rng.uniform(0.65, 0.95), rng.uniform(0.06, 0.26), rng.uniform(0.11, 0.17)
    return _sleeves(shoulder + 0.03, length, angle, width, rng.uniform(0.8, 1.05))


def _armhole_shadows(rng: Generator, shoulder: float, hem: float) -> list[Part]:
    """Without a shadow between them, the body and a sleeve that hangs along it would melt into one block."""
    return _both([(shoulder, 0.2), ((shoulder + hem) / 2, 0.6), (hem, 0.95)], rng.uniform(0.1, 0.6), 0.025)


def _neck(rng: Generator, scale: float = 1.0) -> Part:
    width, depth = rng.uniform(0.07, 0.14) * scale, rng.uniform(0.04, 0.17) * scale
    inside = _one_of(rng, 0.0, 0.5)  # the background, or the back of the collar seen from within
    if _chance(rng, 0.3):
        return Part([(-width, -0.01), (width, -0.01), (0, 1.4 * depth)], inside)
    return Part(_arc(0, -0.01, width, depth, 0, pi), inside)


def _collar(rng: Generator) -> list[Part]:
    throat = Part([(-0.05, 0), (0.05, 0), (0, 0.1)], 0.2)
    return [throat, *_both([(0.02, 0.04), (0.08, 0), (0.12, 0.06), (0.07, 0.15)], _one_of(rng, 0.6, 1.27))]


def _zip(rng: Generator, bottom: float) -> Part:
    return Part([(0, 0.1), (0, bottom)], _one_of(rng, 0.1, 0.3), 0.035)


def _print(rng: Generator, chance: float, at: Point = (0, 0.4), size: float = 0.2) -> list[Part]:
    if not _chance(rng, chance):
        return []
    x, y = at
    w, h = size * rng.uniform(0.4, 1.0), size * rng.uniform(0.15, 0.8)
    rectangle = [(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)]
    return [Part(rectangle, _one_of(rng, 0.3, 0.6, 1.27))]


def _laces(rng: Generator, low: Point, high: Point) -> list[Part]:
    """Four short strokes across the line from `low` to `high`."""
    tone = _one_of(rng, 0.4, 0.7, 1.27)
    (x, y), (dx, dy) = low, (high[0] - low[0], high[1] - low[1])
    starts = [(x + dx * t, y + dy * t) for t in (0.1, 0.4, 0.7, 1.0)]
    return [Part([(x, y), (x + 0.1, y + 0.06)], tone, 0.025) for x, y in starts]


def _footprint(heel: float) -> list[Point]:
    """What a foot stands on, from the toe (left, on the ground, y = 0) up to a heel of the given height."""
    return [(0, 0.0), (0.35, 0.0), (0.68, -0.8 * heel), (1, -heel)]


def _height(line: list[Point], x: float) -> float:
    """The y of a line at x."""
    places, heights = zip(*line, strict=True)
    return float(np.interp(x, places, heights))


def _sole(rng: Generator, heel: float) -> list[Part]:
    tone, thickness = _one_of(rng, 0.45, 0.8, 1.27), rng.uniform(0.05, 0.1)
    below = [(x, y + thickness) for x, y in reversed(_footprint(heel))]
    block = [(0.72, -0.8 * heel), (1, -heel), (0.99, thickness), (0.75, thickness)]
    return [Part([*_footprint(heel), *below], tone), Part(block, tone)]


def _chance(rng: Generator, probability: float) -> bool:
    return rng.random() < probability


def _one_of(rng: Generator, *options: float) -> float:
    return options[int(rng.random() * len(options))]  # Generator.choice takes ten times as long


def _flipped(points: list[Point]) -> list[Point]:
    return [(-x, y) for x, y in reversed(points)]


def _mirrored(half: list[Point]) -> list[Point]:
    """The symmetric outline whose right half runs from the top to the bottom along `half`."""
    return half + _flipped(half)


def _both(points: list[Point], tone: float, width: float = 0.0) -> list[Part]:
    return [Part(points, tone, width), Part(_flipped(points), tone, width)]


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Nine points on an ellipse, from angle `start` to `end`; angles grow clockwise from the right."""
    angles = [start + (end - start) * i / 8 for i in range(9)]
    return [(x + rx * cos(a), y + ry * sin(a)) for a in angles]


# --- From parts to pixels.


def _fit(parts: list[Part], rng: Generator) -> list[Part]:
    """Turn, stretch, scale and place an item, so that its longer side (nearly) fills the image; in pixels."""
    angle, stretch = rng.normal(0, 0.04), rng.uniform(0.88, 1.12)
    c, s = cos(angle), sin(angle)
    turned = [[((x * c - y * s) * stretch, x * s + y * c) for x, y in part.points] for part in parts]
    xs, ys = zip(*(point for points in turned for point in points), strict=True)
    # Half of a stroke's width is not counted: at the very edge it is cut off, as in FashionMNIST.
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    scale = SIDE / max(width, height) * (1 if _chance(rng, 0.5) else rng.uniform(0.78, 1))
    left, top = (_margin(SIDE - scale * extent, rng) for extent in (width, height))
    dx, dy = left - scale * min(xs), top - scale * min(ys)
    return [
        Part([(dx + scale * x, dy + scale * y) for x, y in points], part.tone, scale * part.width)
        for part, points in zip(parts, turned, strict=True)
    ]


def _margin(free: float, rng: Generator) -> float:
    """How many of the free pixels come before the item: half, give or take a few."""
    return free / 2 + rng.uniform(-1, 1) * min(free / 2, 4)


def _rasterise(parts: list[Part]) -> np.ndarray:
    """Draw parts over one another: uint8, (28, 28), where `_CLOTH` is tone 1."""
    canvas = Image.new("L", (SIDE * _OVERSAMPLING, SIDE * _OVERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for points, tone, width in parts:
        xy = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
        if width:
            pen.line(xy, round(_CLOTH * tone), max(2, round(width * _OVERSAMPLING)), joint="curve")
        else:
            pen.polygon(xy, round(_CLOTH * tone))
    return np.asarray(canvas.reduce(_OVERSAMPLING))


def _paint(flat: np.ndarray, rng: Generator) -> np.ndarray:
    """Give flat items (uint8, (n, 28, 28)) a grey level, a pattern and noise. The background stays black."""
    n = len(flat)
    # More light items than dark ones, but less light than in FashionMNIST: with a mean pixel of 0.25 to 0.3
    # (here 0.21), SGD at learning rate 0.1 now and then killed all ReLUs of TinyVGG within three epochs.
    grey = 60 + 120 * np.sqrt(rng.random((n, 1, 1)))
    tone = flat / _CLOTH
    noise = rng.normal(0, 1, flat.shape) * rng.uniform(0.01, 0.08, (n, 1, 1))
    cloth = grey * tone * (1 + _pattern(n, rng) + noise)
    return np.where(flat > 0, cloth.clip(1, 255), 0).astype(np.uint8)


def _pattern(n: int, rng: Generator) -> np.ndarray:
    """What the cloths add to a plain one, as a share of its grey level: float64, (n, 28, 28)."""
    kinds = ["plain", "rows", "columns", "checked", "blotched"]
    kind = rng.choice(kinds, n, p=[0.6, 0.14, 0.04, 0.08, 0.14])
    strength = rng.uniform(0.1, 0.4, n)

    def strength_of(*which: str) -> np.ndarray:
        return (strength * np.isin(kind, which))[:, None]

    at = np.arange(SIDE) - SIDE / 2
    waves = np.sin(rng.uniform(0.6, 2.2, (2, n, 1)) * at + rng.uniform(0, 2 * pi, (2, n, 1)))
    light_from_above = rng.normal(0, 0.012, (n, 1)) * at
    rows = strength_of("rows", "checked") * waves[0] + light_from_above
    columns = strength_of("columns", "checked") * waves[1]
    squares = rng.normal(0, 0.6, (n, SIDE // 2, SIDE // 2)).repeat(2, axis=1).repeat(2, axis=2)
    blotches = squares + np.roll(squares, 1, axis=(1, 2))
    return rows[:, :, None] + columns[:, None, :] + strength_of("blotched")[:, :, None] * blotches
