"""Examples to try on Predict, all made by us: drawings as strokes, and a photo made from a test image. No Streamlit."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Strokes = list[dict[str, Any]]

BOOT_CORNERS = [
    *([150, 50], [222, 44], [230, 150], [236, 226], [196, 226], [188, 214]),
    *([150, 228], [44, 228], [36, 206], [50, 186], [110, 164], [140, 130]),
]
BOOT: Strokes = [
    {"kind": "polygon", "points": BOOT_CORNERS, "shade": 34, "width": 24},
    {"kind": "brush", "points": [[156, 76], [222, 72]], "shade": 170, "width": 8},
]
LETTER: Strokes = [
    {"kind": "brush", "points": [[60, 250], [140, 30], [220, 250]], "shade": 34, "width": 30},
    {"kind": "brush", "points": [[95, 170], [185, 170]], "shade": 34, "width": 30},
]
"""An A, which is no piece of clothing."""

PAPER = (236, 231, 222)
SIZE, ITEM = 420, 320  # Pixels of the photo, and of the item in it.


def photo(image: np.ndarray) -> Image.Image:
    """A test image as a photo of it: dark blue on a table, in soft light, with a sensor's noise. Always the same.

    Args:
        image: uint8 (28, 28), light on black.
    """
    item = Image.fromarray(image).resize((ITEM, ITEM), Image.Resampling.BICUBIC)
    share = np.zeros((SIZE, SIZE))
    margin = (SIZE - ITEM) // 2
    share[margin : margin + ITEM, margin : margin + ITEM] = np.asarray(item, float) / 255
    light = np.linspace(1.01, 0.99, SIZE)[:, None, None]
    colours = np.array(PAPER) * (1 - share[..., None]) + np.array([38, 48, 84]) * share[..., None]
    noise = np.random.default_rng(0).normal(0, 1.5, (SIZE, SIZE, 3))
    return Image.fromarray(np.clip(np.rint(colours * light + noise), 0, 255).astype(np.uint8))
