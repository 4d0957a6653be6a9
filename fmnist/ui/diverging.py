"""Two colours for what is above and below 0, as pictures of 28 x 28 pixels show it."""

from __future__ import annotations

import numpy as np

ABOVE, BELOW = (47, 127, 193), (200, 101, 27)  # Blue and orange: told apart by everybody.
PAPER = {True: (27, 33, 43), False: (255, 255, 255)}  # By whether the page is dark: what is 0.


def colored(values: np.ndarray, limit: float, dark: bool) -> np.ndarray:
    """Values from -limit to limit as colours, orange to blue: float (H, W) -> uint8 (H, W, 3)."""
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    full = np.where(values[..., None] > 0, ABOVE, BELOW)
    return np.rint(strength * full + (1 - strength) * np.array(PAPER[dark])).astype(np.uint8)


def gradient(dark: bool) -> str:
    """The same colours from -limit to limit, as CSS."""
    return f"linear-gradient(to right, {', '.join(f'rgb{color}' for color in (BELOW, PAPER[dark], ABOVE))})"
