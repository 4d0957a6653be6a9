"""Photo -> 28 x 28: each step by hand, and all of them together."""

import io

import numpy as np
import pytest
from helpers.pictures import BLACK, RED, WHITE, canvas, encode
from PIL import Image, ImageDraw, ImageFont

from fmnist.data.catalog import DATASETS
from fmnist.data.framing import CENTRED, FILLING, HANGING
from fmnist.predict import conversion, isolation
from fmnist.predict.conversion import convert, to_png
from fmnist.predict.picture_file import ImageError, open_image


def garment() -> np.ndarray:
    """An image as in the data set, uint8 (28, 28): shaded, on black, over the full height, 20 wide."""
    image = np.zeros((28, 28), np.uint8)
    image[:, 4:24] = np.add.outer(np.arange(28) * 4, np.arange(20) * 4) + 71  # up to 255
    return image


# The steps


def test_background_is_the_median_of_the_border():
    image = canvas(colour=(240, 241, 242))
    image.paste(BLACK, (0, 0, 30, 1))  # a dark line in a corner changes nothing
    assert isolation.background(image).tolist() == [240, 241, 242]


def test_foreground_is_more_than_five_percent_away_in_any_channel():
    image = Image.new("RGB", (10, 10), (200, 200, 200))
    image.putpixel((3, 4), (212, 188, 200))  # 12 is under .05 x 255 = 12.75
    image.putpixel((5, 6), (200, 213, 200))
    mask = isolation.foreground(image, np.array([200, 200, 200]))
    assert np.argwhere(mask).tolist() == [[6, 5]]


def test_single_pixels_of_noise_in_a_large_picture_are_not_foreground():
    image = canvas((300, 300), box=(100, 120, 200, 220))
    for x in range(0, 300, 7):
        image.putpixel((x, (x * 31) % 300), BLACK)
    mask = isolation.foreground(image, np.array(WHITE))
    assert conversion.bounding_box(mask) == (100, 120, 200, 220)


def test_bounding_box():
    mask = np.zeros((50, 40), bool)
    assert conversion.bounding_box(mask) is None
    mask[7, 30] = mask[20, 12] = True
    assert conversion.bounding_box(mask) == (12, 7, 31, 21)


def test_bounding_box_ignores_dust_but_not_thin_parts():
    mask = np.zeros((400, 300), bool)
    mask[100:200, 100:200] = True
    mask[5, 7] = True
    assert conversion.bounding_box(mask) == (100, 100, 200, 200)
    mask[40:100, 150:152] = True  # a strap two pixels wide
    assert conversion.bounding_box(mask) == (100, 40, 200, 200)


@pytest.mark.parametrize(
    "size, fitted",
    [
        ((60, 20), (28, 9)),
        ((20, 60), (9, 28)),
        ((50, 50), (28, 28)),
        ((7, 14), (14, 28)),
        ((900, 3), (28, 1)),
    ],
)
def test_fit_keeps_proportions(size, fitted):
    assert conversion.fit(Image.new("RGB", size), 28).size == fitted


@pytest.mark.parametrize("width, left", [(28, 0), (27, 1), (26, 1), (25, 2), (20, 4), (9, 10), (1, 14)])
def test_pad_puts_the_spare_pixel_left_and_on_top(width, left):
    for size, axis in (((width, 28), 1), ((28, width), 0)):
        padded = np.asarray(conversion.pad(Image.new("RGB", size, RED), light=True))
        is_item = (padded == RED).all(axis=2).all(axis=1 - axis)
        assert np.flatnonzero(is_item).tolist() == list(range(left, left + width))
        assert (padded[(padded != RED).any(axis=2)] == 255).all()
    assert conversion.pad(Image.new("RGB", (1, 1), RED), light=False).getpixel((0, 0)) == BLACK


@pytest.mark.parametrize("light", [True, False])
def test_the_centre_of_mass_goes_to_the_middle(light):
    paper, ink = (WHITE, BLACK) if light else (BLACK, WHITE)
    image = Image.new("RGB", (12, 12), paper)
    image.paste(ink, (4, 3, 7, 6))  # Nine pixels around (5, 4).
    assert conversion.balanced(image, np.array(paper), light) == (9, 10)
    image.paste(ink, (8, 7, 11, 10))  # And nine around (9, 8).
    assert conversion.balanced(image, np.array(paper), light) == (7, 8)


def test_nothing_is_cut_off_for_the_sake_of_the_middle():
    image = Image.new("RGB", (20, 20), WHITE)
    image.paste(BLACK, (0, 0, 20, 1))
    image.paste(BLACK, (0, 0, 2, 20))
    assert conversion.balanced(image, np.array(WHITE), light=True) == (8, 7)  # At (10, 7) it would be in balance.


def test_grey_is_the_luminance():
    # .212656 x 255 = 54.2, .715158 x 255 = 182.4, .072186 x 255 = 18.4
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]])
    assert conversion.grey(rgb).tolist() == [54, 182, 18, 255, 19]
    levels = np.arange(256)
    assert (conversion.grey(np.stack([levels] * 3, axis=1)) == levels).all()


def test_sharpening_by_hand():
    image = Image.new("RGB", (5, 5), (100, 100, 100))
    assert np.asarray(conversion.sharpen_outlines(image)).tolist() == np.asarray(image).tolist()
    image.putpixel((2, 2), (150, 150, 150))
    sharp = np.asarray(conversion.sharpen_outlines(image))[:, :, 0]
    # 100 + 50 x 1.6609 = 183.05; beside it 100 - 50 x .1028 = 94.86; across 100 - 50 x .0624 = 96.88
    assert sharp[1:4, 1:4].tolist() == [[97, 95, 97], [95, 183, 95], [97, 95, 97]]
    assert (sharp[0] == 100).all()


def test_stretch_by_hand():
    levels = np.array([[5, 10, 35], [60, 85, 110]], np.uint8)
    assert conversion.stretch(levels, 10).tolist() == [[0, 0, 64], [128, 191, 255]]  # (v - 10) x 2.55
    assert conversion.stretch(np.array([[0, 128, 255]], np.uint8), 0).tolist() == [[0, 128, 255]]
    assert conversion.stretch(np.array([[7, 7]], np.uint8), 7).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "background, item, light",
    [(255, 0, True), (0, 255, False), (250, 230, True), (5, 30, False), (110, 20, True), (160, 250, False)],
)
def test_the_lighter_of_background_and_item(background, item, light):
    image = canvas(colour=(background,) * 3, item=(item,) * 3)
    mask = isolation.foreground(image, np.array([background] * 3))
    assert conversion.is_lighter(np.array([background] * 3), image, mask) is light


# All steps together


def test_an_item_fills_the_height_and_stands_in_the_middle():
    result = convert(canvas())  # 20 x 60 pixels become 9 x 28, at x = 10
    assert result.image.shape == (28, 28) and result.image.dtype == np.uint8
    assert (result.image[:, 10:19] == 255).all()
    assert result.image[:, :10].max() == result.image[:, 19:].max() == 0
    assert result.remarks == ()
    assert step_names(result) == "Picture, Trimmed, Resized, Extended, Inverted, Grey, More contrast"
    assert [step.size for _, step in result.steps] == [(60, 80), (20, 60), (9, 28)] + [(28, 28)] * 4
    grey = dict(result.steps)["Grey"]
    assert grey.getpixel((14, 14)) == round(0.212656 * 55 + 0.715158 * 225 + 0.072186 * 215)


def step_names(result: conversion.Converted) -> str:
    return ", ".join(dict(result.steps))


def test_sharpening_is_left_out_unless_it_is_asked_for():
    assert "Sharpened" in dict(convert(canvas(), without=()).steps)
    assert "Sharpened" not in dict(convert(canvas()).steps)


@pytest.mark.parametrize(
    "left_out, steps",
    [
        ("trim", "Picture, Resized, Extended, Inverted, Grey, More contrast"),
        ("proportions", "Picture, Trimmed, Squashed, Inverted, Grey, More contrast"),
        ("negate", "Picture, Trimmed, Resized, Extended, Grey"),
        ("stretch", "Picture, Trimmed, Resized, Extended, Inverted, Grey"),
    ],
)
def test_each_step_can_be_left_out(left_out, steps):
    result = convert(canvas(), without={left_out, "sharpen"})
    assert step_names(result) == steps
    assert result.image.shape == (28, 28) and result.image.dtype == np.uint8
    assert np.array_equal(result.image, np.asarray(result.steps[-1][1]))


def test_what_each_step_does_when_it_is_left_out():
    # The item is 20 x 60 at (20, 10) of 60 x 80. Untrimmed, all is 28 / 80 as large: 7 x 21 at (4 + 7, 3.5).
    untrimmed = convert(canvas(), without={"trim", "sharpen"}).image
    assert max(untrimmed[:, :10].max(), untrimmed[:, 19:].max()) < 8 and untrimmed[10, 12:17].min() > 220
    assert untrimmed[:2].max() < 128 and untrimmed[26:].max() < 128  # 3.5 pixels of margin above and below
    assert (convert(canvas(), without={"proportions", "sharpen"}).image == 255).all()  # It fills the square.
    negative = convert(canvas(), without={"negate", "sharpen"}).image
    assert (negative[:, :10] == 255).all() and (negative[:, 10:19] == conversion.grey(np.array(RED))).all()
    unstretched = convert(canvas(), without={"stretch", "sharpen"}).image
    assert (unstretched[:, 10:19] == conversion.grey(255 - np.array(RED))).all() and unstretched[:, :10].max() == 0


def test_a_dark_background_is_stretched_though_negation_is_left_out():
    dark = canvas(colour=BLACK)
    assert (convert(dark, without={"negate", "sharpen"}).image == convert(dark).image).all()


def test_of_an_image_of_28_pixels_only_negation_is_left_out():
    shown = Image.fromarray(255 - garment())
    assert (convert(shown, without=conversion.OPTIONAL).image == np.asarray(shown)).all()


def test_a_step_that_cannot_be_left_out():
    with pytest.raises(ValueError, match="'resize'"):
        convert(canvas(), without={"resize"})


def test_the_low_contrast_is_remarked_on_without_negation_too():
    for without in (conversion.USUALLY_WITHOUT, {"negate", "sharpen"}):
        (remark,) = convert(canvas(item=(235, 235, 235)), without=without).remarks
        assert "almost as light as its background" in remark


def test_a_naive_resize_squashes_and_does_not_negate():
    picture = Image.new("RGB", (56, 28), WHITE)
    picture.paste(RED, (0, 0, 28, 28))  # the left half
    plain = conversion.naive(picture)
    assert plain.shape == (28, 28) and plain.dtype == np.uint8
    assert (abs(plain[:, :12].astype(int) - 67) <= 1).all()  # .212656 x 200 + .715158 x 30 + .072186 x 40 = 66.9
    assert (plain[:, 16:] >= 254).all()
    assert (conversion.naive(Image.fromarray(garment())) == garment()).all()


def test_a_dark_background_is_not_negated():
    result = convert(canvas(colour=(4, 4, 4)))
    assert "Inverted" not in dict(result.steps)
    assert (result.image[:, 10:19] == 255).all() and result.image[:, :10].max() == 0


@pytest.mark.parametrize("background", [0, 4, 60, 180, 245, 255])
@pytest.mark.parametrize("options", [{"kind": "PNG"}, {"kind": "JPEG", "quality": 85}], ids=["PNG", "JPEG"])
def test_a_data_set_image_comes_back_from_any_plain_canvas(background, options):
    original = garment()
    large = original.repeat(10, axis=0).repeat(10, axis=1)
    share = large / 255  # how much of the item covers the canvas
    ink = 255 if background < 128 else 0
    photo = np.full((520, 400), background, float)
    photo[111:391, 57:337] = share * ink + (1 - share) * background
    image = Image.fromarray(np.rint(photo).astype(np.uint8)).convert("RGB")
    result = convert(open_image(encode(image, **options)))
    assert np.abs(result.image.astype(int) - original).mean() < 2
    assert result.remarks == ()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_an_image_of_28_pixels_comes_back_bit_for_bit(mode):
    for original in (garment(), np.pad(garment()[:, 4:24], ((0, 0), (4, 4)))):
        for shown in (original, 255 - original):
            png = encode(Image.fromarray(shown).convert(mode), "PNG")
            assert (convert(open_image(png)).image == original).all()


def test_an_image_of_28_pixels_that_fills_its_frame_is_not_negated():
    bag = np.full((28, 28), 140, np.uint8)
    bag[:3], bag[:, :4] = 0, 0
    assert (convert(Image.fromarray(bag)).image == bag).all()


def test_a_drawing():
    strokes = np.zeros((280, 280, 4), np.uint8)
    strokes[...] = 255
    strokes[100:180, 60:220] = (0, 0, 0, 255)
    result = convert(Image.fromarray(strokes).convert("RGB"))
    assert (result.image[7:21] == 255).all() and result.image[:7].max() == result.image[21:].max() == 0


@pytest.mark.parametrize("size", [(28, 28), (60, 80), (500, 400)])
@pytest.mark.parametrize("colour", [WHITE, BLACK, (90, 120, 60)])
def test_nothing_but_background(size, colour):
    with pytest.raises(ImageError, match="nothing in the picture but background"):
        convert(Image.new("RGB", size, colour))


# Remarks


def test_remark_on_an_item_at_the_edge():
    (remark,) = convert(canvas(box=(20, 30, 40, 80))).remarks
    assert "touches the edge" in remark


def test_light_that_falls_off_is_not_an_item_at_the_edge():
    photo = np.repeat((250 - np.add.outer(np.arange(600), np.arange(800)) / 1400 * 18)[..., None], 3, axis=2)
    photo[150:450, 300:500] = (30, 60, 150)
    data = encode(Image.fromarray(photo.astype(np.uint8)), "JPEG", quality=92)
    assert convert(open_image(data)).remarks == ()


def test_remark_on_a_busy_background():
    noise = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    remarks = convert(Image.fromarray(noise)).remarks
    assert "background is busy" in remarks[0] and not any("edge" in remark for remark in remarks)


def test_remark_on_low_contrast():
    (remark,) = convert(canvas(item=(235, 235, 235))).remarks
    assert "almost as light as its background" in remark


def test_remark_on_a_small_item():
    (remark,) = convert(canvas(box=(20, 10, 30, 37))).remarks
    assert "smaller than 28 pixels" in remark


# The result as a file


def test_to_png():
    image = garment()
    assert (np.asarray(Image.open(io.BytesIO(to_png(image)))) == image).all()
    large = Image.open(io.BytesIO(to_png(image, scale=3)))
    assert (large.mode, large.size) == ("L", (84, 84))
    assert (np.asarray(large)[1::3, 1::3] == image).all() and (np.asarray(large)[2::3, ::3] == image).all()


# Data sets that show their things otherwise


def digit(sign: str) -> np.ndarray:
    """A printed digit as MNIST has written ones, uint8 (28, 28): 20 pixels high, its centre of mass at (14, 14).

    Inked more towards one corner: the centre of an even 0 would lie just between two pixels.
    """
    large = Image.new("L", (600, 600))
    ImageDraw.Draw(large).text((100, 50), sign, fill=255, font=ImageFont.load_default(400))
    large = large.crop(large.getbbox())
    small = np.asarray(large.resize((max(1, round(20 * large.width / large.height)), 20), Image.Resampling.BOX), float)
    rows, columns = (np.arange(edge) for edge in small.shape)
    small *= np.add.outer(rows, columns) + 40
    small *= 255 / small.max()
    y, x = (round(14 - part / small.sum()) for part in (rows @ small.sum(axis=1), columns @ small.sum(axis=0)))
    image = np.zeros((28, 28), np.uint8)
    image[y : y + small.shape[0], x : x + small.shape[1]] = np.rint(small)
    return image


@pytest.mark.parametrize("light", [True, False], ids=["ink on paper", "chalk on a board"])
@pytest.mark.parametrize("sign", "0123456789")
def test_a_photo_of_one_of_mnists_digits_becomes_that_digit(sign, light):
    original = digit(sign)
    large = Image.fromarray(original).resize((280, 280), Image.Resampling.NEAREST)
    photo = Image.new("L", (500, 400))
    photo.paste(large, (190, 15))
    shown = open_image(encode(Image.fromarray(255 - np.asarray(photo)) if light else photo, "JPEG", quality=92))
    became = convert(shown, DATASETS["mnist"].subject.framing).image
    off = np.abs(became.astype(int) - original).mean()
    as_clothes = np.abs(convert(shown).image.astype(int) - original).mean()
    assert off < 4 and as_clothes > 5 * off


def test_the_steps_of_a_digit_are_those_that_are_shown():
    steps = dict(convert(canvas(), CENTRED).steps)
    assert list(steps) == ["Picture", "Trimmed", "Resized", "Centred", "Inverted", "Grey", "More contrast"]
    assert steps["Resized"].size == (7, 20) and steps["Centred"].size == (28, 28)
    squashed = dict(convert(canvas(), CENTRED, without={"proportions", "sharpen"}).steps)
    assert squashed["Squashed"].size == (20, 20) and squashed["Centred"].size == (28, 28)


def test_what_fills_its_image_is_converted_as_fashion_mnist_is():
    assert DATASETS["fashion-mnist"].subject.framing == HANGING
    assert DATASETS["kmnist"].subject.framing == FILLING
    assert (convert(canvas()).image == convert(canvas(), FILLING).image).all()
