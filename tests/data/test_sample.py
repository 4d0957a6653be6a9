"""Sample data: what a caller may rely on, and that it is neither hopeless nor trivial to learn."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fmnist.data import sample

ROOT = Path(sample.__file__).parents[2]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return sample.draw(600, seed=0)


def nearest_mean_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Accuracy of giving each test image the class whose mean training image is nearest."""
    images, labels = train
    means = np.stack([images[labels == k].mean(axis=0).ravel() for k in range(10)])
    pixels = test[0].reshape(len(test[0]), -1).astype(float)
    # |x - m|² without |x|², which is the same for every class
    distances = (means**2).sum(axis=1) - 2 * pixels @ means.T
    return float((distances.argmin(axis=1) == test[1]).mean())


@pytest.mark.parametrize("count", [0, 1, 25])
def test_gives_as_many_images_as_asked(count):
    images, labels = sample.draw(count, seed=3)
    assert images.shape == (count, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (count,)
    assert labels.dtype == np.int64


@pytest.mark.parametrize("count", [10, 25, 600])
def test_classes_are_balanced(count):
    sizes = np.bincount(sample.draw(count, seed=4)[1], minlength=10)
    assert len(sizes) == 10
    assert sizes.max() - sizes.min() <= 1


def test_order_is_random(drawn):
    labels = drawn[1]
    assert set(labels[:100]) == set(range(10))
    assert (labels[1:] == labels[:-1]).mean() < 0.2  # 0.1 by chance, 1 if sorted


def test_same_seed_gives_the_same_bytes():
    # More than one block, so that what one block draws cannot leak into the next unnoticed.
    count = sample._BLOCK + 20
    (images, labels), (again, labels_again) = sample.draw(count, seed=5), sample.draw(count, seed=5)
    assert images.tobytes() == again.tobytes()
    assert labels.tobytes() == labels_again.tobytes()


def test_another_process_gives_the_same_bytes(drawn):
    code = "import sys; from fmnist.data import sample; sys.stdout.buffer.write(sample.draw(600, 0)[0].tobytes())"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout == drawn[0].tobytes()


def test_another_seed_gives_other_images_and_order():
    (images, labels), (others, other_labels) = sample.draw(50, seed=6), sample.draw(50, seed=7)
    assert (labels != other_labels).any()
    assert not {i.tobytes() for i in images} & {i.tobytes() for i in others}


def test_no_two_images_are_equal(drawn):
    assert len(np.unique(drawn[0], axis=0)) == len(drawn[0])


def test_items_are_light_on_black(drawn):
    images = drawn[0]
    assert np.median(images[:, [0, 0, -1, -1], [0, -1, 0, -1]]) == 0
    assert (images == 0).mean() > 0.3
    assert images[images > 0].mean() > 100
    # Even a dark item can be told from the background.
    assert all(image[image > 0].mean() > 30 for image in images)


def test_every_image_has_an_item_and_a_background(drawn):
    covered = (drawn[0] > 0).mean(axis=(1, 2))
    assert covered.min() > 0.04
    assert covered.max() < 1


def test_items_span_most_of_the_image(drawn):
    ink = drawn[0] > 0
    height, width = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
    longer = np.maximum(height, width)
    assert longer.min() >= 20
    assert (longer >= 27).mean() > 0.5


def test_silhouettes_have_the_proportions_of_their_class(drawn):
    images, labels = drawn
    ink = images > 0
    ratio = ink.any(axis=2).sum(axis=1) / ink.any(axis=1).sum(axis=1)  # height to width
    tall = [np.median(ratio[labels == k]) for k in range(10)]
    trouser, dress, sandal, sneaker, boot = tall[1], tall[3], tall[5], tall[7], tall[9]
    assert min(trouser, dress) > 1.5
    assert max(sandal, sneaker) < 0.75
    assert sneaker < boot < 1.2


def test_classes_can_be_learned_but_not_trivially():
    accuracy = nearest_mean_accuracy(sample.draw(2000, seed=8), sample.draw(1000, seed=9))
    assert 0.4 < accuracy < 0.85


def test_needs_neither_torch_nor_streamlit():
    code = "import sys, fmnist.data.sample; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
