"""An item on one colour, out of a picture with a plain background, with falling light, or with a busy background."""

from collections.abc import Collection

import numpy as np
from PIL import Image, ImageFilter

from fmnist.data.framing import SIDE
from fmnist.predict.cutout import cut_out
from fmnist.predict.items import bounding_box
from fmnist.predict.light import even, ring

TOLERANCE = 0.05 * 255  # the paper: a colour within 5% of full scale of the background's is background
BUSY = 0.3  # share of the border that is not background; an item cut along one whole edge reaches .25

BUSY_BACKGROUND = (
    "The background is busy: a plain white one, evenly lit, with the item in the middle, gives a better answer."
)
BUSY_WITHOUT_OPENCV = (
    "The background is busy, and was not cut away, as OpenCV is missing (pip install opencv-python-headless): a plain "
    "white one, evenly lit, gives a better answer."
)
CUT_BACKGROUND = "The background is busy, and was cut away: a plain one, evenly lit, gives a better answer."


def isolated(
    picture: Image.Image, without: Collection[str]
) -> tuple[dict[str, Image.Image], np.ndarray, np.ndarray, list[str]]:
    """An item on one colour: the pictures on the way there, the last of which is the result, the background's colour,
    which pixels, bool (height, width), are not background, and what the user should know about it.

    On a plain background the item stays as it is.
    """
    steps = {"Picture": picture}
    if "light" not in without and (lit := even(np.asarray(picture), TOLERANCE)) is not None:
        steps["Light evened"] = picture = Image.fromarray(lit)
    colour = background(picture)
    mask = foreground(picture, colour)
    if border(mask).mean() <= BUSY:
        return steps, colour, mask, []
    try:
        found = None if "cut-out" in without else cut_out(np.asarray(picture))
    except ImportError:
        return steps, colour, mask, [BUSY_WITHOUT_OPENCV]
    if found is None or bounding_box(found) is None:
        return steps, colour, mask, [BUSY_BACKGROUND]
    steps["Cut out"] = Image.fromarray(np.where(found[:, :, None], np.asarray(picture), np.uint8(255)))
    return steps, np.array((255, 255, 255)), found, [CUT_BACKGROUND]


def border(pixels: np.ndarray) -> np.ndarray:
    """The pixels (n, ...) along the edges of an array (height, width, ...): a ring of 2% of the shorter edge.

    Thicker than one pixel, so that a scanner's dark line around the picture is not taken for the background.
    """
    return pixels[ring(pixels.shape[0], pixels.shape[1])]


def background(image: Image.Image) -> np.ndarray:
    """The background's colour, int (3,): the median of the border.

    The authors took a corner pixel; one that a JPEG has put a little off can keep the trim from cutting at all.
    """
    return np.median(border(np.asarray(image)), axis=0).astype(int)


def foreground(image: Image.Image, colour: np.ndarray) -> np.ndarray:
    """Which pixels, bool (height, width), are not background.

    In pictures of eight times the result's size and more, a 3 x 3 median first removes a sensor's noise and
    the ripples that a JPEG has around outlines. Lines of one pixel go too: they would hardly show at 28 pixels.
    """
    if max(image.size) >= 8 * SIDE:
        image = image.filter(ImageFilter.MedianFilter(3))
    different = np.abs(np.asarray(image, np.int16) - colour.astype(np.int16)) > TOLERANCE
    return np.any(different, axis=2)
