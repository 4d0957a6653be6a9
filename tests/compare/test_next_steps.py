"""The last lines of pages: what they say is what was found."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest
from helpers.making import finished_run

from fmnist.compare import confusion, next_steps
from fmnist.data.catalog import CLOTHES
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.store import Store

SHIRT, COAT, BAG = (CLOTHES.classes.index(name) for name in ("Shirt", "Coat", "Bag"))


@pytest.fixture
def library(store: Store) -> Library:
    return Library(store, None)


def test_a_class_that_no_seed_answers_is_named_before_one_that_some_do(library, store, small_data):
    finished_run(store, Recipe("0", 0), small_data, never=(SHIRT,))
    finished_run(store, Recipe("0", 1), small_data)
    for seed in (0, 1):
        finished_run(store, Recipe("1", seed), small_data, never=(BAG,))
    finished_run(store, Recipe("2"), small_data, never=tuple(range(1, 10)))  # Dead: nothing is said of its classes.
    groups = library.groups("fashion-mnist")
    found = next_steps.to_look_into(library, groups, small_data.test_labels)
    assert (found.sentence, found.true) == ("Model 1 never predicts Bag: see what it says instead.", BAG)
    assert found.item == confusion.all_seeds(groups[1])
    found = next_steps.to_look_into(library, groups[:1], small_data.test_labels)
    assert found.sentence == "With seed 0, Model 0 never predicts Shirt: see what it says instead."
    assert found.item.id == "1"


def test_else_the_worst_mix_up_of_the_most_accurate_is_named(library, store, small_data):
    finished_run(store, Recipe("0"), small_data, accuracy=0.6)
    best = finished_run(store, Recipe("1"), small_data, accuracy=0.8)
    groups, labels = library.groups("fashion-mnist"), small_data.test_labels
    found = next_steps.to_look_into(library, groups, labels)
    said = library.predictions(best)
    errors = {
        (true, label): np.count_nonzero((labels == true) & (said == label))
        for true in range(10)
        for label in range(10)
        if true != label
    }
    assert errors[found.true, found.predicted] == max(errors.values())
    true, label = CLOTHES.classes[found.true], CLOTHES.classes[found.predicted]
    assert found.sentence == f"Model 1 most often mistakes {true} for {label}: see which images."


def test_a_mix_up_that_others_equal_is_not_called_the_most_frequent(library, store, small_data):
    finished_run(store, Recipe("1"), small_data, accuracy=0.98)  # One image of two classes each.
    found = next_steps.to_look_into(library, library.groups("fashion-mnist"), small_data.test_labels)
    assert found.sentence.startswith("Model 1 often mistakes ")


def test_where_the_best_makes_no_mistake_that_of_another_is_named(library, store, small_data):
    finished_run(store, Recipe("0"), small_data, accuracy=1)
    finished_run(store, Recipe("2"), small_data, accuracy=0.9)
    found = next_steps.to_look_into(library, library.groups("fashion-mnist"), small_data.test_labels)
    assert found and found.sentence.startswith("Model 2 ")


def test_nothing_is_said_where_nothing_was_found(library, store, small_data):
    finished_run(store, Recipe("0"), small_data, accuracy=1)
    assert next_steps.to_look_into(library, library.groups("fashion-mnist"), small_data.test_labels) is None


def test_an_answer_unlike_the_truth_or_the_others_leads_to_its_cell(library, store, small_data):
    for model, accuracy in (("0", 0.6), ("1", 0.9), ("2", 0.8)):
        finished_run(store, Recipe(model), small_data, accuracy=accuracy)
    items = [confusion.whole(group) for group in library.groups("fashion-mnist")]

    def found(*labels: int, truth: int | None = None) -> next_steps.MixUp:
        return next_steps.after_answers(list(zip(items, labels, strict=True)), truth)

    wrong = found(SHIRT, COAT, SHIRT, truth=SHIRT)
    assert wrong.sentence == "Model 1 mistakes this Shirt for Coat: see which others."
    assert (wrong.item, wrong.true, wrong.predicted) == (items[1], SHIRT, COAT)
    odd = found(SHIRT, BAG, SHIRT)
    assert odd.sentence == "Model 1 says Bag, others say Shirt: see what it mixes up."
    alike = found(COAT, COAT, COAT)
    assert alike.sentence == "See what else Model 1 mistakes for Coat."
    assert (alike.item, alike.true, alike.predicted) == (items[1], None, COAT)


def test_the_nearest_average_pictures_are_named():
    means = np.zeros((10, 28, 28), np.uint8)
    means[:, 0, 0] = [0, 100, 20, 200, 22, 60, 150, 240, 80, 120]
    assert (
        next_steps.most_alike(means, CLOTHES.classes) == "The average pictures of Pullover and Coat are the most alike"
    )


def test_the_best_run_of_a_training_is_named(store, small_data):
    name = attrgetter("name")
    runs = [finished_run(store, Recipe("0", seed), small_data, accuracy=0.6 + seed / 10) for seed in (0, 1)]
    said = "Model 0, seed 1 is ahead: compare these 2 runs, and see how sure that is."
    assert next_steps.after_training(runs, name) == said
    better = finished_run(store, Recipe("2"), small_data, accuracy=0.9)
    assert next_steps.after_training([better, *runs], name).endswith(
        "compare Model 0 and Model 2, and see how sure that is."
    )
    level = [better, finished_run(store, Recipe("1"), small_data, accuracy=0.9)]
    assert next_steps.after_training(level, name) == "All of them are equally accurate: compare Model 1 and Model 2."
    said = "Model 2, seed 0 and 1 other are ahead: compare Model 0, Model 1 and Model 2, and see how sure that is."
    assert next_steps.after_training([*level, *runs], name) == said
    assert next_steps.after_training(runs[1:], name).startswith("See how Model 0, seed 1 does, ")
