"""Images unlike the training data are told from those that are like them; the nearest training images are the nearest.

The rates are measured on FashionMNIST, whose test images nothing has been fitted to.
"""

from __future__ import annotations

import json
import string
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fmnist.data import files
from fmnist.data.files import Dataset
from fmnist.predict import conversion, drawing, outlines, unfamiliar
from fmnist.predict.conversion import USUALLY_WITHOUT
from fmnist.predict.drawing import Stroke
from fmnist.predict.picture_file import ImageError
from fmnist.predict.unfamiliar import Familiarity

LETTERS = string.ascii_letters + string.digits
SIZES = (20, 40, 160)  # Of letters on a sheet of paper.
SMALL = (14, 18, 22, 26)  # Of letters that are written into the 28 x 28 pixels.
KINDS = ("noise", "blank", "inverted", "letters", "small letters", "photos", "cut-out photos", "photos as they are")
EACH = 6  # Of the photos so many are cut out: a third of a second each.
SHAPES = ("boxes", "ellipses", "stars")


@pytest.fixture(scope="module")
def known(real_data: Dataset) -> Familiarity:
    return unfamiliar.learn(real_data)


@pytest.fixture(scope="module")
def strange(real_data: Dataset) -> dict[str, np.ndarray]:
    """Images that are no clothing, by their kind: uint8 (N, 28, 28)."""
    rng = np.random.default_rng(0)
    shape = 200, 28, 28
    normal = [rng.normal(mean, deviation, shape) for mean, deviation in ((0, 60), (128, 30), (128, 60), (128, 120))]
    upsized = [_resized(grid) for grid in rng.integers(0, 256, (200, 7, 7)).astype(np.uint8)]
    return {
        "noise": np.concatenate([rng.integers(0, 256, shape), *np.clip(normal, 0, 255), upsized]).astype(np.uint8),
        "blank": np.full((256, 28, 28), np.arange(256)[:, None, None], np.uint8),
        "inverted": 255 - real_data.test_images[:2000],
        "letters": np.stack([conversion.convert(_letter(sign, size)).image for size in SIZES for sign in LETTERS]),
        "small letters": np.stack([_small_letter(sign, size) for size in SMALL for sign in LETTERS]),
        "photos": _converted(_crops(), {"sharpen", "cut-out"}),
        "cut-out photos": _converted(_crops()[::EACH], USUALLY_WITHOUT),
        "photos as they are": np.stack([np.asarray(crop.convert("L").resize((28, 28))) for crop in _crops()]),
        **{kind: _shapes(kind) for kind in SHAPES},
    }


@pytest.fixture(scope="module")
def reasons(known: Familiarity, strange: dict[str, np.ndarray], real_data: Dataset) -> dict[str, list[str | None]]:
    """What is said of each image, by its kind; of the test images as "clothes"."""
    return {kind: known.reasons(images) for kind, images in {"clothes": real_data.test_images, **strange}.items()}


def _shapes(kind: str) -> np.ndarray:
    """As they are drawn on the pad, in several sizes and shades."""
    rng = np.random.default_rng(2)
    images = []
    for shade in (34, 102, 170) * 30:
        across, down = rng.uniform(30, 120, 2)
        if kind == "stars":
            count, inner = int(rng.integers(5, 8)), rng.uniform(0.38, 0.55)
            turns = np.pi * np.arange(2 * count) / count + rng.uniform(-0.2, 0.2)
            lengths = across * np.where(np.arange(2 * count) % 2, inner, 1)
            points = tuple(zip(140 + lengths * np.sin(turns), 140 - lengths * np.cos(turns), strict=True))
            stroke = Stroke("polygon", points, shade, 24)
        else:
            corners = (140 - across, 140 - down), (140 + across, 140 + down)
            stroke = Stroke("box" if kind == "boxes" else "circle", corners, shade, 24)
        images.append(conversion.convert(drawing.picture([stroke])).image)
    return np.stack(images)


def _resized(grid: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(grid).resize((28, 28), Image.Resampling.BICUBIC))


def _letter(sign: str, size: int) -> Image.Image:
    """In Pillow's own font, black on white."""
    sheet = Image.new("RGB", (280, 280), "white")
    ImageDraw.Draw(sheet).text((140, 140), sign, "black", ImageFont.load_default(size), anchor="mm")
    return sheet


def _small_letter(sign: str, size: int) -> np.ndarray:
    sheet = Image.new("L", (28, 28))
    ImageDraw.Draw(sheet).text((14, 14), sign, 255, ImageFont.load_default(size), anchor="mm")
    return np.asarray(sheet)


def _crops() -> list[Image.Image]:
    """Parts of the two photos that come with scikit-learn, a temple and a flower: 80 of each."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    crops = []
    for photo in map(Image.fromarray, datasets.load_sample_images().images):
        for side in (64, 128, 256, 400):
            for left, top in zip(
                rng.integers(0, photo.width - side, 20), rng.integers(0, photo.height - side, 20), strict=True
            ):
                crops.append(photo.crop((int(left), int(top), int(left) + side, int(top) + side)))
    return crops


def _converted(pictures: list[Image.Image], without: Collection[str]) -> np.ndarray:
    """As the Predict page does it, but for steps that are left out; parts with nothing but sky are refused there."""
    found = []
    for picture in pictures:
        try:
            found.append(conversion.convert(picture, without=without).image)
        except ImageError:
            continue
    return np.stack(found)


def share(reasons: list[str | None]) -> float:
    """Of the images that are said to be unlike the training data."""
    return float(np.mean([reason is not None for reason in reasons]))


def test_it_is_silent_for_95_percent_of_held_out_clothes(reasons):
    assert share(reasons["clothes"]) <= 0.05


@pytest.mark.parametrize("label", range(10))
def test_it_is_silent_for_92_to_98_percent_of_each_class(reasons, real_data, label):
    of_class = [reasons["clothes"][place] for place in np.flatnonzero(real_data.test_labels == label)]
    assert 0.02 <= share(of_class) <= 0.08


@pytest.mark.parametrize("kind", KINDS + SHAPES)
def test_it_speaks_for_90_percent_of_what_is_no_clothing(reasons, kind):
    assert share(reasons[kind]) >= 0.9


@pytest.mark.parametrize("name, most", [("drawings", 8), ("first_drawings", 9)])
def test_it_is_silent_for_most_drawings_of_clothes(known, name, most):
    """They are of one shade, too, but not of a plain shape."""
    drawn = json.loads(Path(__file__).with_name(f"{name}.json").read_text())
    images = []
    for each in drawn:
        strokes = drawing.read(each["strokes"])
        images.append(
            conversion.convert(drawing.picture(outlines.filled(strokes, outlines.fillings(strokes))), item=None).image
        )
    assert sum(reason is not None for reason in known.reasons(np.stack(images))) <= most


@pytest.mark.parametrize(
    "kind, words",
    [
        ("noise", "noise"),
        ("blank", "all one shade"),
        ("inverted", "border"),
        ("letters", "closest of the 60,000 training images"),
        ("small letters", "is small"),
        ("boxes", "plain shape"),
        ("ellipses", "plain shape"),
    ],
)
def test_the_reason_is_the_one_that_a_person_would_give(reasons, kind, words):
    given = [reason for reason in reasons[kind][:100] if reason]
    assert sum(words in reason for reason in given) > 0.8 * len(given)


def test_it_learns_from_any_data_set(small_data):
    """The sample data are small here: what is asked is that it works, not its rates."""
    known = unfamiliar.learn(small_data)
    assert known.images == len(small_data.train_images)
    assert known.reasons(np.full((1, 28, 28), 200, np.uint8)) != [None]
    assert share(known.reasons(small_data.train_images)) < 0.5


def test_what_comes_with_the_project_is_what_is_learned(known, strange, reasons, real_data):
    brought = unfamiliar.shipped("fashion-mnist")
    assert brought and brought.images == known.images
    for kind, pictures in {"clothes": real_data.test_images[:2000], **strange}.items():
        said = zip(brought.reasons(pictures), reasons[kind][: len(pictures)], strict=True)
        assert np.mean([one != other for one, other in said]) < 0.001


def test_what_was_learned_is_the_same_after_reading_it_from_a_file(small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    known, path = unfamiliar.learn(small_data), unfamiliar.shipped_path("sample")
    unfamiliar.save(known, path)
    read = unfamiliar.shipped("sample")
    assert read and read.reasons(small_data.test_images) == known.reasons(small_data.test_images)
    content = path.read_bytes()
    for damaged in (b"", content[:-100], content[:5000] + bytes(100) + content[5100:]):
        path.write_bytes(damaged)
        assert unfamiliar.shipped("sample") is None
    assert unfamiliar.shipped("mnist") is None


def test_the_nearest_are_those_of_a_brute_force_search(small_data):
    _compare_with_brute_force(small_data.train_images, small_data.test_images[:20])


def test_the_nearest_of_all_60_000_are_those_of_a_brute_force_search(real_data):
    _compare_with_brute_force(real_data.train_images, real_data.test_images[:3])


def _compare_with_brute_force(known: np.ndarray, asked: np.ndarray) -> None:
    for image in asked:
        squared = ((known.astype(np.int32) - image) ** 2).sum(axis=(1, 2))
        places, distances = unfamiliar.nearest(known, image, 10)
        np.testing.assert_array_equal(places, np.argsort(squared, kind="stable")[:10])
        np.testing.assert_array_equal(distances, np.sqrt(squared[places]))


def test_a_training_image_is_its_own_nearest(small_data):
    places, distances = unfamiliar.nearest(small_data.train_images, small_data.train_images[330], 2)
    assert places[0] == 330
    assert distances[0] == 0 < distances[1]
