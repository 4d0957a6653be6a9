"""Whether the models agree, and with the truth, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fmnist.predict.verdict import SURE, Answer, verdict
from fmnist.recipe import Recipe
from fmnist.store.library import Group


def answers(*tops: list[int], first: float = 0.9) -> list[Answer]:
    """One for each model; of its seeds, each gives one of these classes, the first one the most surely.

    Args:
        first: how sure the first seed is; each further one is less sure by a tenth.
    """
    given = []
    for model, seeds in enumerate(tops):
        values = np.stack([np.eye(10)[top] * (first - seed / 10) for seed, top in enumerate(seeds)])
        given.append(Answer(Group("own", Recipe(str(model)), "", (), f"Model {model}"), values))
    return given


@pytest.mark.parametrize(
    "tops, words",
    [
        ([[1, 1], [1, 1], [1, 1]], "All models say **Trouser** (all 6 training runs agree)."),
        ([[1, 1, 1], [1, 1, 2], [1, 1, 1]], "All models say **Trouser** (8 of 9 training runs agree)."),
        ([[1], [1], [1]], "All models say **Trouser**."),
        ([[1], [1]], "Both models say **Trouser**."),
        ([[1], [1], [2]], "Two of three say **Trouser**, but Model 2 says **Pullover**."),
        (
            [[1], [2], [3]],
            "They disagree: Model 0 says **Trouser**, Model 1 says **Pullover** and Model 2 says **Dress**.",
        ),
        ([[1], [2]], "They disagree: Model 0 says **Trouser** and Model 1 says **Pullover**."),
        ([[1]], "Model 0 says **Trouser**."),
    ],
)
def test_the_verdict_in_a_sentence(tops, words):
    given = answers(*tops)
    assert verdict(given) == words
    assert verdict(given, 8) == f"{words} The label is **Bag**."


def test_all_say_it_only_if_most_seeds_of_each_do():
    given = answers([1, 1, 1], [1, 2, 3], [1, 2])
    assert [answer.said for answer in given] == ["Trouser"] * 3  # By their means.
    assert verdict(given) == (
        "On average over its runs, each model says **Trouser**, but only 1 of 3 training runs of Model 1 and only 1 of "
        "2 training runs of Model 2 do."
    )
    assert "All" not in verdict(given, 1)
    assert verdict(given[:2]).endswith("but only 1 of 3 training runs of Model 1 does.")


@pytest.mark.parametrize("tops", [([1], [1], [2]), ([1], [2])])
def test_that_no_model_is_sure_is_said_where_they_disagree(tops):
    assert verdict(answers(*tops, first=SURE - 0.01), 8).endswith("**Pullover**. None is sure. The label is **Bag**.")
    assert "sure" not in verdict(answers(*tops, first=SURE))


def test_that_all_are_right_is_said_once():
    assert verdict(answers([1], [1], [1]), 1) == "All three are right: **Trouser**."
    assert verdict(answers([1, 1], [1, 1]), 1) == "Both are right: **Trouser** (all 4 training runs agree)."
    assert verdict(answers([1]), 1) == "Model 0 says **Trouser**. The label is **Trouser**."


def test_a_run_that_was_chosen_answers_alone():
    chosen = [replace(answer, chosen=1) for answer in answers([1, 2, 1])]
    assert verdict(chosen) == "Model 0 says **Pullover**."
