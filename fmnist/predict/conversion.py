"""Photo or drawing -> the 28 x 28 image that a model sees.

A model only knows pictures that were made the way those of its data set were: an item on black, in FashionMNIST filling
28 pixels in one direction, in the middle of the other. So a picture goes through the steps of that data set's authors
(Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST", section 2), one function each, and through a last one that the paper
leaves out (`stretch`). For other data sets the same steps make the item as large as it is there, and put it where it
stands there (`Framing`).
"""

import base64
import io
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fmnist.data.framing import HANGING, SIDE, Framing
from fmnist.predict.isolation import border, isolated
from fmnist.predict.items import bounding_box, boxes, is_spread, touches
from fmnist.predict.picture_file import ImageError, open_image, to_rgb

LOW_CONTRAST = 64  # grey levels; 99% of FashionMNIST's images had more than 79 before their stretch

LUMINANCE = (0.212656, 0.715158, 0.072186)  # of R, G and B (Rec. 709)
# The authors' "Gaussian of radius 1 and standard deviation 1", as measured on the paper's figure; its sum is 1.
SHARPENING = np.array(
    [[-0.0624, -0.1028, -0.0624], [-0.1028, 1.6609, -0.1028], [-0.0624, -0.1028, -0.0624]], np.float32
)

OPTIONAL = ("light", "cut-out", "trim", "narrow", "proportions", "sharpen", "negate", "stretch")
"""The steps of `convert` that can be left out, in their order."""

USUALLY_WITHOUT = frozenset({"sharpen"})
"""The authors sharpened. It is left out because it costs accuracy: of 2,000 test images that were made into photos and
converted, Model 2 got 88.6% right without it and 88.1% with it."""


@dataclass(frozen=True)
class Converted:
    """What became of a picture.

    image: uint8 (28, 28), the item light on black, as in the data set.
    remarks: sentences for the user on what may mislead a model.
    steps: each step's name and the picture after it, in order.
    items: how many items there are in it, of which one or all became the image.
    """

    image: np.ndarray
    remarks: tuple[str, ...]
    steps: tuple[tuple[str, Image.Image], ...]
    items: int = 1


def convert(
    image: Image.Image,
    framing: Framing = HANGING,
    *,
    without: Collection[str] = USUALLY_WITHOUT,
    item: int | None = 0,
) -> Converted:
    """The picture as the authors of a data set would have treated it.

    framing: of the data set, FashionMNIST's by default.
    without: names of OPTIONAL steps that are left out, to see what each of them does.
        light: even the light on a plain background.
        cut-out: take a busy background away. It needs OpenCV; where that is missing, a remark says so.
        trim: cut off the background around the item.
        narrow: make a piece of clothing that was cut out, and is a little wider than high, as wide as it is high.
        proportions: keep them; without this step the picture is squashed to a square.
        sharpen: sharpen outlines.
        negate: make an item on a light background one on a dark one.
        stretch: spread the grey levels from 0 to 255. It needs a dark background: where negation was due and is
            left out, stretching is left out with it.
    item: which of several items, the largest first, or the last if there are fewer; None: all of them together.

    A picture of 28 x 28 pixels is taken as an image of the data set, and at most negated.
    Raises ImageError if there is nothing in the picture but background.
    """
    if unknown := set(without) - set(OPTIONAL):
        raise ValueError(f"no steps that can be left out: {sorted(unknown)}")
    picture = to_rgb(image)
    if picture.size == (SIDE, SIDE):
        return _own_format(picture, negate="negate" not in without)

    steps, colour, mask, remarks = isolated(picture, without)
    picture = steps[list(steps)[-1]]
    whole = bounding_box(mask)
    if whole is None:
        raise _nothing_there()
    places = boxes(mask) if framing.hangs else [whole]
    box = whole if item is None else places[min(item, len(places) - 1)]
    light = is_lighter(colour, picture, mask)

    if "trim" not in without:
        steps["Trimmed"] = picture = picture.crop(box)
        if "Cut out" in steps and "narrow" not in without and framing.hangs and is_spread(box):
            steps["Narrowed"] = picture.resize((picture.height,) * 2, Image.Resampling.LANCZOS)
    levels, contrast = _in_frame(steps, framing, without, colour, light)
    if not remarks and touches(box, mask.shape):
        remarks.append("The item touches the edge of the picture: the models know whole items only.")
    if len(places) > 1 and item is not None:
        remarks.append(f"There are {len(places)} items in the picture: this is the answer for one of them.")
    if contrast < LOW_CONTRAST and "Cut out" not in steps:
        remarks.append("The item is almost as light as its background: a background that differs more works better.")
    if max(box[2] - box[0], box[3] - box[1]) < SIDE:
        remarks.append(f"The item is smaller than {SIDE} pixels: it was enlarged, and details are missing.")
    return Converted(levels, tuple(remarks), tuple(steps.items()), len(places))


def _in_frame(
    steps: dict[str, Image.Image], framing: Framing, without: Collection[str], colour: np.ndarray, light: bool
) -> tuple[np.ndarray, int]:
    """A trimmed item, the last of the steps, in the frame of 28 x 28 pixels; further steps are put to the others.

    Args:
        colour: of the background, int (3,).
        light: whether that is lighter than the item.

    Returns:
        uint8 (28, 28), and by how many grey levels the item differs from the background.
    """
    picture = steps[list(steps)[-1]]
    if "proportions" in without:
        steps["Squashed"] = picture = squash(picture, framing.side)
    else:
        steps["Resized"] = picture = fit(picture, framing.side)
    if "sharpen" not in without:
        steps["Sharpened"] = picture = sharpen_outlines(picture)
    if framing.by_mass:
        steps["Centred"] = picture = pad(picture, light, balanced(picture, colour, light))
    elif "proportions" not in without:
        steps["Extended"] = picture = pad(picture, light)
    if light and "negate" not in without:
        steps["Inverted"] = picture = ImageOps.invert(picture)
        light, colour = False, 255 - colour
    levels = grey(np.asarray(picture))
    steps["Grey"] = Image.fromarray(levels)
    floor = int(grey(colour))
    contrast = floor - int(levels.min()) if light else int(levels.max()) - floor
    if not light and "stretch" not in without:
        levels = stretch(levels, floor)
        steps["More contrast"] = Image.fromarray(levels)
    return levels, contrast


def convert_file(
    path: Path,
    framing: Framing = HANGING,
    *,
    without: Collection[str] = USUALLY_WITHOUT,
    item: int | None = 0,
) -> Converted:
    """`convert` for a picture file. An ImageError names the file."""
    picture = open_image(path)
    try:
        return convert(picture, framing, without=without, item=item)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def naive(picture: Image.Image) -> np.ndarray:
    """What a plain resize makes of a picture: squashed to 28 x 28 and grey, not negated; uint8 (28, 28)."""
    return grey(np.asarray(squash(to_rgb(picture), SIDE)))


def _own_format(picture: Image.Image, *, negate: bool) -> Converted:
    """A picture of 28 x 28 pixels is an image of the data set: as it is, negated if its border is light.

    The border's mean decides: it is below 127.5 in every one of FashionMNIST's 70,000 images (its median is
    not, in two that fill their frame). So each of them, and its negative, comes back bit for bit.
    """
    steps = {"Picture": picture}
    levels = grey(np.asarray(picture))
    if levels.min() == levels.max():
        raise _nothing_there()
    if negate and border(levels).mean() > 127.5:
        steps["Inverted"] = picture = ImageOps.invert(picture)
        levels = grey(np.asarray(picture))
    steps["Grey"] = Image.fromarray(levels)
    return Converted(levels, (), tuple(steps.items()))


def is_lighter(colour: np.ndarray, image: Image.Image, mask: np.ndarray) -> bool:
    """Whether the background is lighter than the item (the pixels in mask), so that the picture is negated.

    On white and on black the background's luminance would tell; on grey the item has to be asked too.
    """
    return bool((colour - np.asarray(image)[mask].mean(axis=0)) @ LUMINANCE > 0)


def fit(image: Image.Image, side: int) -> Image.Image:
    """The longest edge to so many pixels, keeping proportions (the shorter one: at least 1).

    Lanczos: it is .27 of 255 off the paper's figure, nearest 14.3, bilinear 7.7.
    """
    scale = side / max(image.size)
    width, height = (max(1, math.floor(edge * scale + 0.5)) for edge in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def squash(image: Image.Image, side: int) -> Image.Image:
    """Both edges to so many pixels, whatever becomes of the proportions."""
    return image.resize((side, side), Image.Resampling.LANCZOS)


def sharpen_outlines(image: Image.Image) -> Image.Image:
    """Take from each pixel a part of what is around it; where the picture is flat, nothing changes."""
    width, height = image.size
    around = np.pad(np.asarray(image, np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    total = sum(SHARPENING[y, x] * around[y : y + height, x : x + width] for y in range(3) for x in range(3))
    return Image.fromarray(np.clip(np.rint(total), 0, 255).astype(np.uint8))


def pad(image: Image.Image, light: bool, place: tuple[int, int] | None = None) -> Image.Image:
    """Extend to 28 x 28 with white or black.

    place: where its left and its top edge go; None: into the middle, an odd spare pixel to the left or the top.
    """
    square = Image.new("RGB", (SIDE, SIDE), "white" if light else "black")
    square.paste(image, place or ((SIDE - image.width + 1) // 2, (SIDE - image.height + 1) // 2))
    return square


def balanced(image: Image.Image, colour: np.ndarray, light: bool) -> tuple[int, int]:
    """Where the left and the top edge of an image go so that its centre of mass is in the middle.

    That is within half a pixel of (14, 14), counted from 0, as in MNIST; or as near as it comes without being cut off.

    A pixel weighs as much as it is darker than the background (colour) where that is light, else as it is lighter.
    """
    levels, floor = grey(np.asarray(image)).astype(float), float(grey(colour))
    weights = np.maximum(0, floor - levels if light else levels - floor)
    place = []
    for axis, edge in ((0, image.width), (1, image.height)):
        along = weights.sum(axis=axis)
        centre = np.average(np.arange(edge), weights=along if along.any() else None)
        place.append(min(max(0, round(SIDE / 2 - centre)), SIDE - edge))
    return place[0], place[1]


def grey(rgb: np.ndarray) -> np.ndarray:
    """Colours (..., 3), 0 to 255 -> luminance, uint8 (...)."""
    return np.rint(rgb @ np.array(LUMINANCE)).astype(np.uint8)


def stretch(levels: np.ndarray, floor: int) -> np.ndarray:
    """Spread grey levels, uint8, so that the background's (floor) becomes 0 and the highest 255.

    The paper does not mention it, but the images show it: the highest level of all 70,000 is 254 or 255, and
    those of pale items have regular gaps (test image 5023 has only 0, 3, 6, 9 ... 63 and a few above). Undone in
    the palest sixth of the test images, it brings a linear model from 72.6% back to 77.6%.

    A floor over 0 is what is left of a background that was not quite white or black. The item would stand in a
    grey box, as none in the data set does: on a background of 230, a CNN falls from 85.8% to 62.5%.
    """
    span = max(1, int(levels.max()) - floor)
    return np.clip(np.rint((levels.astype(float) - floor) * 255 / span), 0, 255).astype(np.uint8)


def _nothing_there() -> ImageError:
    return ImageError("There is nothing in the picture but background: choose one with an item, or draw more.")


def change(
    image: np.ndarray,
    *,
    dx: float = 0,
    dy: float = 0,
    angle: float = 0,
    scale: float = 1,
    blur: float = 0,
    invert: bool = False,
) -> np.ndarray:
    """An image moved, turned, scaled, blurred and inverted, in this order; what lies outside of it is black.

    Args:
        image: uint8 (28, 28).
        dx, dy: pixels to the right and down.
        angle: degrees clockwise around the middle of the frame.
        scale: factor of its size, over 0.
        blur: standard deviation of a Gaussian, in pixels.
        invert: 255 - each level, at the end.

    Returns:
        uint8 (28, 28). Between pixels, levels are interpolated linearly; where nothing is changed, nothing changes.
    """
    # Pillow asks where in the old picture each pixel of the new one comes from: the way back, around the middle.
    cosine, sine = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
    middle = SIDE / 2
    x, y = middle + dx, middle + dy
    back = (cosine, sine, middle - cosine * x - sine * y, -sine, cosine, middle + sine * x - cosine * y)
    # As floats: in 8 bits Pillow cuts fractions off.
    levels = Image.fromarray(image.astype(np.float32))
    moved = np.asarray(levels.transform((SIDE, SIDE), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR))
    if blur:
        moved = gaussian(blur) @ moved @ gaussian(blur).T
    changed = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    return 255 - changed if invert else changed


def gaussian(deviation: float) -> np.ndarray:
    """The matrix float (28, 28) that blurs a column of pixels: weights of a Gaussian, which sum to 1 in the open.

    deviation: in pixels. Beside the frame lies black, so rows near it sum to less.
    """
    weights = np.exp(-0.5 * (np.arange(-4 * SIDE, 4 * SIDE + 1) / deviation) ** 2)
    pixels = np.arange(SIDE)
    return weights[np.subtract.outer(pixels, pixels) + 4 * SIDE] / weights.sum()


def to_png(image: np.ndarray, scale: int = 1) -> bytes:
    """An image as PNG, uint8 (28, 28) for grey, (28, 28, 3) for colours; each pixel a square of scale x scale."""
    return _png(Image.fromarray(image.repeat(scale, axis=0).repeat(scale, axis=1)))


def to_data_url(image: np.ndarray | Image.Image, scale: int = 1) -> str:
    """`to_png`, or any picture as it is, as an address that holds the picture itself.

    One that is sent as a file of its own may be gone from the server before the browser asks for it, when pictures
    follow each other quickly.
    """
    data = _png(image) if isinstance(image, Image.Image) else to_png(image, scale)
    return "data:image/png;base64," + base64.b64encode(data).decode()


def preview_url(picture: Image.Image, width: int) -> str:
    """`to_data_url` of a picture of any size, no larger than a screen can show it.

    Args:
        width: at which it is shown, in pixels of the page, of which dense screens have two for one.
    """
    small = picture.copy()
    small.thumbnail((2 * width, small.height))
    return to_data_url(small)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
