"""What would help: which changes are tried, when one is suggested, and how often that is right."""

from __future__ import annotations

import numpy as np
import pytest

from bench import figures, suggestions
from fmnist.data import files
from fmnist.data.catalog import DATASETS
from fmnist.predict import suggestion, unfamiliar
from fmnist.predict.suggestion import Seen, choose, tries
from fmnist.predict.verdict import SURE, Answer
from fmnist.recipe import Recipe
from fmnist.store.library import Group, Library, default_groups
from fmnist.store.store import REFERENCE, Store

CLOTHES, DIGITS = DATASETS["fashion-mnist"], DATASETS["mnist"]
BOOT, BAG, SHIRT = (CLOTHES.classes.index(name) for name in ("Ankle boot", "Bag", "Shirt"))


def seen(*classes: int, sure: float = 0.9, strange: str | None = None, distance: float = 1) -> Seen:
    """What a model each says, of which every one is as sure."""
    answers = []
    for model, label in enumerate(classes):
        shares = np.full((1, 10), (1 - sure) / 9)
        shares[0, label] = sure
        answers.append(Answer(Group("own", Recipe(str(model)), "", (), f"Model {model}"), shares))
    return Seen(answers, strange, distance)


def shoe() -> np.ndarray:
    """With a low toe on the right."""
    image = np.zeros((28, 28), np.uint8)
    for column in range(2, 26):
        image[9 + column // 2 : 24, column] = 255
    return image


def ring() -> np.ndarray:
    """A square's outline with a small gap."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 4:24] = 200
    image[6:22, 6:22] = 0
    image[22:24, 10:11] = 0
    return image


def chosen(as_it_is: Seen, **tried: Seen) -> str | None:
    change = choose(as_it_is, tried)
    return change.name if change else None


def test_a_shoe_is_mirrored_if_its_toe_is_on_the_right():
    assert (tries(shoe(), CLOTHES)["Mirrored"] == shoe()[:, ::-1]).all()
    assert "Mirrored" not in tries(shoe()[:, ::-1], CLOTHES)
    assert "Mirrored" not in tries(shoe(), DIGITS)


def test_an_outline_is_filled_and_nothing_else():
    assert (tries(ring(), CLOTHES)["Filled"][4:24, 4:24] == 200).mean() > 0.99
    assert "Filled" not in tries(shoe(), CLOTHES) and "Filled" not in tries(ring(), DIGITS)
    assert (suggestion.filled(np.zeros((28, 28), np.uint8)) == 0).all()


def test_what_is_dark_is_brightened_and_anything_is_inverted():
    assert tries(shoe() // 4, CLOTHES)["Brightened"].max() == 255
    assert "Brightened" not in tries(shoe(), CLOTHES)
    assert (tries(shoe(), DIGITS)["Inverted"] == 255 - shoe()).all()


@pytest.mark.parametrize(
    "as_it_is", [seen(BAG, BAG, SHIRT), seen(BAG, BAG, sure=SURE - 0.01), seen(BAG, BAG, strange="It is noise.")]
)
def test_one_change_is_suggested_where_models_disagree_are_unsure_or_see_something_strange(as_it_is):
    assert chosen(as_it_is, Mirrored=seen(BOOT, BOOT)) == "Mirrored"
    assert chosen(as_it_is, Mirrored=seen(BOOT, BOOT), Filled=seen(SHIRT, BOOT)) == "Mirrored"


def test_nothing_is_suggested_where_the_answer_is_settled():
    assert chosen(seen(BAG, BAG), Mirrored=seen(BOOT, BOOT)) is None


@pytest.mark.parametrize(
    "tried",
    [
        {},
        {"Mirrored": seen(BOOT, BAG)},
        {"Mirrored": seen(BOOT, BOOT, sure=SURE - 0.01)},
        {"Mirrored": seen(BOOT, BOOT, strange="It is small.")},
        {"Filled": seen(BAG, BAG)},  # As all say anyway.
        {"Mirrored": seen(SHIRT, SHIRT)},  # A shirt does not point anywhere.
        {"Mirrored": seen(BOOT, BOOT), "Inverted": seen(SHIRT, SHIRT)},  # Which of them?
    ],
)
def test_what_does_not_settle_the_answer_or_is_ambiguous_is_not_suggested(tried):
    assert chosen(seen(BAG, BAG, sure=0.5), **tried) is None


def test_what_mirroring_can_not_mend_is_not_held_against_it_if_the_image_comes_nearer():
    as_it_is = seen(BAG, BAG, strange="Its border is not black.", distance=2)
    after = {"strange": "Its border is not black.", "distance": 1.5}
    assert chosen(as_it_is, Mirrored=seen(BOOT, BOOT, **after)) == "Mirrored"
    assert chosen(as_it_is, Filled=seen(BOOT, BOOT, **after)) is None
    assert chosen(as_it_is, Mirrored=seen(BOOT, BOOT, **after | {"distance": 1.9})) is None


# By the reference runs, on the images that come with the project


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    if not REFERENCE.exists():
        pytest.skip("the reference runs are not there")
    return Library(Store(tmp_path_factory.mktemp("store") / "fmnist.db"))


@pytest.mark.parametrize("kind", ["as they are", "mirrored", "darkened", "outlined"])
def test_suggestions_for_test_images_are_rare_and_for_changed_ones_right(library, kind, tmp_path):
    """Of all 10,000: docs/measurements.md. "As they are": how many are given where all models are right."""
    data = files.load_test_set("fashion-mnist", tmp_path, tmp_path)
    images, labels = data.test_images[:150], data.test_labels[:150]
    known = unfamiliar.shipped("fashion-mnist")
    groups = default_groups(library.groups("fashion-mnist", "reference"))
    changed = np.stack([suggestions.KINDS[kind](image) for image in images])
    found = list(zip(suggestions.suggestions(library, groups, known, changed), labels, strict=True))
    if kind == "as they are":
        given = [change for (one, change, _), label in found if all(each.top == label for each in one.answers)]
        assert len(given) > 90 and sum(change is not None for change in given) <= 0.05 * len(given)
    else:
        right = [said == label for (_, change, said), label in found if change]
        assert len(right) > 10 and np.mean(right) >= 0.8


def test_of_twenty_first_drawings_twelve_are_named_or_get_the_suggestion_that_leads_there(library):
    assert float(figures.first_drawings_named()) >= 11
    assert float(figures.first_drawings_helped()) >= 12
