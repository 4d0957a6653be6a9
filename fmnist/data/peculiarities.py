"""What is peculiar about FashionMNIST's images, counted over their pixels."""

from __future__ import annotations

import numpy as np

from fmnist.data.framing import SIDE

SHOES = ("Sandal", "Sneaker", "Ankle boot")
TOPS = ("T-shirt/top", "Pullover", "Coat", "Shirt")
"""Classes that look alike: what covers the upper body."""

THIRD = SIDE // 3
"""Columns of pixels at either side of an image in which a shoe's toe and heel are."""


def point_left(images: np.ndarray) -> np.ndarray:
    """Which shoes point left: the heel, which is higher than the toe and so has more mass, is on the right. Bool (N,).

    The mass of a side is the sum of its pixels' values. A flat slipper may have more mass at its toe: it is counted as
    pointing right, so that the share that points left is rather too low.

    Args:
        images: uint8 (N, 28, 28).
    """
    left, right = (images[:, :, columns].sum(axis=(1, 2)) for columns in (slice(THIRD), slice(SIDE - THIRD, SIDE)))
    return right > left
