"""Two colours for what is above and below 0, as pictures of 28 x 28 pixels show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from plotly.colors import hex_to_rgb

from fmnist.compare.charts import ABOVE, BELOW, PAPER
from fmnist.words import digits

BRIGHTEST = 99.5  # The percentile of all values that gets the full colour: single ones can be far beyond.
CSS = """
<style>
.scale { display: flex; align-items: center; gap: 8px; font-size: 0.82rem; padding-top: 10px; flex-wrap: wrap; }
.scale i { width: 120px; height: 10px; border: 1px solid #80889166; border-radius: 3px; }
</style>
"""


def brightest(values: ArrayLike) -> float:
    """What gets the full colour, of values above and below 0 of any shape."""
    return float(np.percentile(np.abs(values), BRIGHTEST)) or 1.0


def colored(values: np.ndarray, limit: float, dark: bool) -> np.ndarray:
    """Values from -limit to limit as colours, orange to blue: float (H, W) -> uint8 (H, W, 3)."""
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    full = np.where(values[..., None] > 0, hex_to_rgb(ABOVE), hex_to_rgb(BELOW))
    return np.rint(strength * full + (1 - strength) * np.array(hex_to_rgb(PAPER[dark]))).astype(np.uint8)


def scale(limit: float, dark: bool, below: str = "", above: str = "", unit: str = "") -> str:
    """The colours from -limit to limit with the two numbers, as HTML.

    Args:
        below, above: what stands before each number.
        unit: what stands after the second.
    """
    colors = f"linear-gradient(to right, {BELOW}, {PAPER[dark]}, {ABOVE})"
    return (
        f'{CSS}<div class="scale"><span>{below}−{digits(limit, 2)}</span><i style="background: {colors}"></i>'
        f"<span>{above}+{digits(limit, 2)}{unit}</span></div>"
    )
