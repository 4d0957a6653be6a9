"""Images that are moved, turned, blurred or inverted by hand, as "What if" has it."""

import numpy as np
import pytest
from predict.test_conversion import garment

from fmnist.predict import conversion


def one_pixel(x: int, y: int, level: int = 200) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[y, x] = level
    return image


def lit(image: np.ndarray) -> dict[tuple[int, int], int]:
    """The pixels that are not black: (x, y) and the level."""
    return {(int(x), int(y)): int(image[y, x]) for y, x in np.argwhere(image)}


def test_nothing_changes_without_a_change():
    noise = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    changed = conversion.change(noise)
    assert changed.dtype == np.uint8 and (changed == noise).all()


@pytest.mark.parametrize(
    "how, pixels",
    [
        ({"dx": 3, "dy": -2}, {(13, 6): 200}),
        ({"dx": 0.5}, {(10, 8): 100, (11, 8): 100}),
        ({"dy": 28}, {}),
        # Around the middle, at 13.5: (10, 8) lies 3.5 left of it and 5.5 above. Clockwise, left becomes above.
        ({"angle": 90}, {(19, 10): 200}),
        ({"angle": -90}, {(8, 17): 200}),
        ({"angle": 180}, {(17, 19): 200}),
        # 3.5 left becomes 10.5, 5.5 above 16.5: outside.
        ({"scale": 3}, {}),
        ({"angle": 180, "dx": 1, "dy": 2}, {(18, 21): 200}),
    ],
)
def test_moved_turned_and_scaled_by_hand(how, pixels):
    assert lit(conversion.change(one_pixel(10, 8), **how)) == pixels


def test_scaled_by_hand():
    block = np.zeros((28, 28), np.uint8)
    block[10:18, 12:16] = 255
    larger = conversion.change(block, scale=2)
    # Edges at 10 and 18 go to 6 and 22, at 12 and 16 to 10 and 18; half a pixel beside them is three quarters full.
    assert (larger[7:21, 11:17] == 255).all() and (larger[10:18, [10, 17]] == 191).all()
    assert (larger[10:18, [9, 18]] == 64).all() and larger[:, :9].max() == 0


def test_blurred_by_hand():
    changed = conversion.change(one_pixel(14, 14, 255), blur=1)
    # 1 / (sum of exp(-k^2 / 2)) = 1 / 2.50663 = .39894; beside it .24197. Squared, x 255: 40.6; product: 24.6; 14.9.
    assert changed[13:16, 13:16].tolist() == [[15, 25, 15], [25, 41, 25], [15, 25, 15]]
    edge = conversion.change(np.full((28, 28), 200, np.uint8), blur=1)
    assert edge[14, 14] == 200
    assert edge[14, 0] == 140  # 200 x (.5 + .39894 / 2): beside the frame lies black


def test_inverted_at_the_end():
    assert (conversion.change(garment(), invert=True) == 255 - garment()).all()
    moved = conversion.change(garment(), dx=5, invert=True)
    assert (moved[:, :5] == 255).all()


def test_every_setting_of_the_page_gives_an_image():
    rng = np.random.default_rng(0)
    for _ in range(200):
        changed = conversion.change(
            garment(),
            dx=rng.integers(-14, 15),
            dy=rng.integers(-14, 15),
            angle=rng.integers(-180, 181),
            scale=rng.uniform(0.4, 2),
            blur=rng.uniform(0, 3),
            invert=bool(rng.integers(2)),
        )
        assert changed.shape == (28, 28) and changed.dtype == np.uint8
