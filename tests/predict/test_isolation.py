"""An item on one colour: falling light, busy backgrounds, several items in one picture."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from helpers.pictures import canvas, carpet, with_shirt
from PIL import Image

from fmnist.data.framing import CENTRED
from fmnist.predict import isolation, items
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, convert
from fmnist.predict.cutout import cut_out
from fmnist.predict.isolation import BUSY_BACKGROUND, BUSY_WITHOUT_OPENCV, CUT_BACKGROUND

PLAIN = with_shirt(Image.new("RGB", (240, 220), (240, 240, 240)), (20, 10))
FALLS = {
    "a vignette": lambda x, y: 1 - 0.4 * (x**2 + y**2) / 2,
    "a lamp at the side": lambda x, y: 1 - 0.3 * ((x + 0.6) ** 2 + (y + 0.5) ** 2) / 4,
    "a window": lambda x, y: np.exp(-0.3 * (x + 1)) + 0 * y,
}


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def lit(picture: Image.Image, fall) -> Image.Image:
    """A picture under a lamp; fall gives the light's share at places from -1 to 1."""
    x, y = np.linspace(-1, 1, picture.width), np.linspace(-1, 1, picture.height)[:, None]
    return Image.fromarray(np.rint(np.asarray(picture) * fall(x, y)[:, :, None]).astype(np.uint8))


@pytest.mark.parametrize("fall", FALLS.values(), ids=FALLS)
def test_light_that_falls_off_is_evened_and_not_called_a_part_of_the_item(fall):
    found = convert(lit(PLAIN, fall))
    assert "Light evened" in dict(found.steps) and found.remarks == ()
    assert difference(found.image, convert(PLAIN).image) < 4
    uneven = convert(lit(PLAIN, fall), without=USUALLY_WITHOUT | {"light", "cut-out"})
    assert uneven.remarks and difference(uneven.image, convert(PLAIN).image) > 20


def test_light_that_falls_off_on_black_is_evened_too():
    dark = np.asarray(with_shirt(Image.new("RGB", (240, 220)), (20, 10), colour=(150, 150, 190))).astype(int)
    glow = np.linspace(0, 40, 240).astype(int)[None, :, None]
    found = convert(Image.fromarray(np.minimum(dark + glow, 255).astype(np.uint8)))
    assert found.remarks == () and "Light evened" in dict(found.steps)


@pytest.mark.parametrize(
    "picture", [PLAIN, canvas(), canvas((200, 200), box=(0, 30, 150, 170)), canvas((200, 200), (0, 0, 0))]
)
def test_on_a_plain_background_nothing_is_evened_or_cut_out(picture, monkeypatch):
    monkeypatch.setattr(isolation, "cut_out", lambda rgb: pytest.fail("It was cut out."))
    found = convert(picture)
    assert not {"Light evened", "Cut out", "Narrowed"} & {*dict(found.steps)}
    assert (found.image == convert(picture, without=USUALLY_WITHOUT | {"light", "cut-out", "narrow"}).image).all()


def test_a_busy_background_is_taken_away():
    photo = with_shirt(carpet(), (20, 10))
    found = convert(photo)
    assert found.remarks == (CUT_BACKGROUND,)
    cut = np.asarray(dict(found.steps)["Cut out"])
    assert (cut[:8] == 255).all() and (cut[100, 120] == (30, 60, 150)).all()
    assert difference(found.image, convert(PLAIN, without=USUALLY_WITHOUT).image) < 12
    left = convert(photo, without=USUALLY_WITHOUT | {"cut-out"})
    assert left.remarks[0] == BUSY_BACKGROUND and "Cut out" not in dict(left.steps)
    assert difference(left.image, found.image) > 30


def test_the_cut_out_is_the_same_each_time_and_as_large_as_the_picture():
    rgb = np.asarray(with_shirt(carpet(500, 300), (100, 20), 250))
    first = cut_out(rgb)
    assert first is not None and first.shape == rgb.shape[:2] and first.dtype == bool
    assert (cut_out(rgb) == first).all()
    item = np.asarray(with_shirt(Image.new("RGB", (500, 300)), (100, 20), 250)).any(axis=2)
    assert (first & item).sum() / (first | item).sum() > 0.93


@pytest.mark.parametrize("left, found", [(70, True), (5, False)])
def test_what_lies_aside_is_not_taken_for_an_item(left, found):
    photo = with_shirt(carpet(300, 220), (left, 30), 150)
    assert (cut_out(np.asarray(photo)) is not None) == found
    assert ("Cut out" in dict(convert(photo).steps)) == found


@pytest.mark.parametrize("colour, found", [((30, 60, 150), True), ((150, 115, 75), False)])
def test_what_has_the_colours_of_its_background_is_not_taken_for_an_item(colour, found):
    photo = with_shirt(carpet(300, 220), (70, 30), 150, colour)
    assert (cut_out(np.asarray(photo)) is not None) == found


@pytest.mark.parametrize("size", [(8, 8), (8, 900), (900, 8), (60, 60)])
def test_what_can_not_be_told_apart_raises_nothing(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for rgb in (noise, np.zeros_like(noise)):
        found = cut_out(rgb)
        assert found is None or found.shape == size
    assert cut_out(np.zeros((60, 60, 3), np.uint8)) is None


def test_without_opencv_the_cut_out_is_left_away_and_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert convert(with_shirt(carpet(), (20, 10))).remarks[0] == BUSY_WITHOUT_OPENCV
    assert convert(PLAIN).remarks == ()


def test_tops_that_were_cut_out_with_spread_sleeves_are_narrowed():
    photo = with_shirt(carpet().resize((300, 220)), (40, 10)).resize((400, 220))  # Wider than high.
    steps = dict(convert(photo).steps)
    width, height = steps["Trimmed"].size
    assert 1 < width / height < 1.4 and steps["Narrowed"].size == (height, height)
    assert "Narrowed" not in dict(convert(photo, without=USUALLY_WITHOUT | {"narrow"}).steps)


def two() -> Image.Image:
    return with_shirt(with_shirt(Image.new("RGB", (500, 240), "white"), (10, 20), 200), (290, 60), 150, (150, 30, 60))


def test_of_several_items_the_largest_is_taken_and_the_others_can_be():
    large = with_shirt(Image.new("RGB", (500, 240), "white"), (10, 20), 200)
    small = with_shirt(Image.new("RGB", (500, 240), "white"), (290, 60), 150, (150, 30, 60))
    found = convert(two())
    assert found.items == 2 and "2 items" in found.remarks[0]
    assert difference(found.image, convert(large).image) < 3
    assert difference(convert(two(), item=1).image, convert(small).image) < 12
    assert (convert(two(), item=9).image == convert(two(), item=1).image).all()
    together = convert(two(), item=None)
    assert together.items == 2 and together.remarks == ()
    assert dict(together.steps)["Trimmed"].width > 300
    assert convert(large).items == 1


def test_parts_of_a_digit_are_not_items():
    assert convert(two(), CENTRED).items == 1


def test_items_are_apart_by_a_strip_and_of_like_size():
    mask = np.zeros((100, 200), bool)
    mask[10:60, 10:60] = True
    assert items.boxes(mask) == [(10, 10, 60, 60)]
    mask[10:60, 66:90] = True  # Near: a strap, not another item.
    assert items.boxes(mask) == [(10, 10, 90, 60)]
    mask[80:90, 30:40] = True  # Small: a label; the box is that of all, as ever.
    assert items.boxes(mask) == [(10, 10, 90, 90)]
    mask[10:90, 120:200] = True
    assert items.boxes(mask) == [(120, 10, 200, 90), (10, 10, 90, 60)]
    assert items.boxes(np.zeros((9, 9), bool)) == []


def test_each_step_can_be_left_out_of_a_photo():
    photo = with_shirt(carpet(), (20, 10))
    shown = {"cut-out": "Cut out", "trim": "Trimmed", "proportions": "Resized", "sharpen": "Sharpened"}
    shown |= {"negate": "Inverted", "stretch": "More contrast"}
    for step in OPTIONAL:
        converted = convert(photo, without={step})
        assert converted.image.shape == (28, 28)
        assert {name for name, title in shown.items() if title not in dict(converted.steps)} >= {step} & shown.keys()
    assert {*shown.values()} <= dict(convert(photo, without=set()).steps).keys()
