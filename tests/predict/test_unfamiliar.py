"""Images unlike the training data are told from those that are like them; the nearest training images are the nearest.

The rates are measured on FashionMNIST, whose test images nothing has been fitted to.
"""

from __future__ import annotations

import string

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fmnist.data import files
from fmnist.data.files import Dataset
from fmnist.predict import conversion, unfamiliar
from fmnist.predict.picture_file import ImageError
from fmnist.predict.unfamiliar import Familiarity

LETTERS = string.ascii_letters + string.digits
SIZES = (20, 40, 160)  # Of letters on a sheet of paper.
SMALL = (14, 18, 22, 26)  # Of letters that are written into the 28 x 28 pixels.
KINDS = ("noise", "blank", "inverted", "letters", "small letters", "photos", "photos as they are")


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
        "photos": _converted(_crops()),
        "photos as they are": np.stack([np.asarray(crop.convert("L").resize((28, 28))) for crop in _crops()]),
    }


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


def _converted(pictures: list[Image.Image]) -> np.ndarray:
    """As the Predict page does it; parts in which there is nothing but sky are refused there."""
    found = []
    for picture in pictures:
        try:
            found.append(conversion.convert(picture).image)
        except ImageError:
            continue
    return np.stack(found)


def share_unlike(known: Familiarity, pictures: np.ndarray) -> float:
    """The share of images that are said to be unlike the training data."""
    return float(np.mean([reason is not None for reason in known.reasons(pictures)]))


def test_it_is_silent_for_95_percent_of_held_out_clothes(known, real_data):
    assert share_unlike(known, real_data.test_images) <= 0.05


@pytest.mark.parametrize("label", range(10))
def test_it_is_silent_for_most_of_each_class(known, real_data, label):
    assert share_unlike(known, real_data.test_images[real_data.test_labels == label]) <= 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_for_90_percent_of_what_is_no_clothing(known, strange, kind):
    assert share_unlike(known, strange[kind]) >= 0.9


@pytest.mark.parametrize(
    "kind, words",
    [
        ("noise", "noise"),
        ("blank", "all one shade"),
        ("inverted", "border"),
        ("letters", "closest of the 60,000 training images"),
        ("small letters", "is small"),
    ],
)
def test_the_reason_is_the_one_that_a_person_would_give(known, strange, kind, words):
    reasons = [reason for reason in known.reasons(strange[kind][:100]) if reason]
    assert sum(words in reason for reason in reasons) > 0.8 * len(reasons)


def test_it_learns_from_any_data_set(small_data):
    """The sample data are small here: what is asked is that it works, not its rates."""
    known = unfamiliar.learn(small_data)
    assert known.images == len(small_data.train_images)
    assert known.reasons(np.full((1, 28, 28), 200, np.uint8)) != [None]
    assert share_unlike(known, small_data.train_images) < 0.5


def test_what_comes_with_the_project_is_what_is_learned(known, strange, real_data):
    brought = unfamiliar.shipped("fashion-mnist")
    assert brought and brought.images == known.images
    for pictures in (real_data.test_images, *strange.values()):
        assert (
            np.mean(
                [one != other for one, other in zip(brought.reasons(pictures), known.reasons(pictures), strict=True)]
            )
            < 0.001
        )


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
