"""How a sweep chooses, and how its choice is confirmed: from the store alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.making import ended_run, finished_run, result

from bench.campaigns import choosing as simulation
from fmnist.compare import confirmation
from fmnist.compare.confirmation import FIRST_SEED
from fmnist.compare.sweep import Sweep, find_sweep
from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Group, Library
from fmnist.store.run import Status
from fmnist.store.store import Store

HELD_OUT = 100
BEST, OTHER, PUBLISHED = 0.2, 0.3, 0.1


def trial(store: Store, data: Dataset, rate: float, seed: int, accuracy: float, tested: float) -> None:
    """A run with held-out images."""
    recipe = Recipe("0", seed, learning_rate=rate, validation=HELD_OUT)
    finished_run(store, recipe, data, accuracy=tested, held_out=accuracy)


def sweep_of(store: Store, data: Dataset, tested: float) -> Library:
    """Three settings, the best and another of which lie close; on the test images all are as good as this."""
    for rate, accuracies in {BEST: (0.8, 0.84, 0.82), OTHER: (0.81, 0.83, 0.80), PUBLISHED: (0.5, 0.52, 0.51)}.items():
        for seed, accuracy in enumerate(accuracies):
            trial(store, data, rate, seed, accuracy, tested)
    return Library(store, None)


def confirm(store: Store, data: Dataset, rate: float, accuracies: tuple[float, ...], first: int = FIRST_SEED) -> None:
    for seed, accuracy in enumerate(accuracies, first):
        finished_run(store, Recipe("0", seed, learning_rate=rate), data, accuracy=accuracy)


def found(library: Library) -> Sweep:
    swept = find_sweep(library, "fashion-mnist", "own")
    assert swept
    return swept


def test_it_is_chosen_on_the_held_out_images_by_the_mean_over_seeds(store, small_data):
    swept = found(sweep_of(store, small_data, tested=0.1))
    assert swept.chosen.recipe.learning_rate == BEST and swept.table["learning_rate"].tolist() == [
        BEST,
        OTHER,
        PUBLISHED,
    ]
    assert swept.answer() == (
        "Best of 3: **Model 0, SGD, lr 0.2, batch 32, 3 epochs** with **82.0%** of the held-out images "
        "on average over 3 runs (95% interval 77.0% to 87.0%)."
    )
    assert swept.not_told_apart == 1
    assert swept.standing().startswith("**Chosen, not yet confirmed.**") and swept.confirmation is None


def everything(swept: Sweep) -> list[object]:
    """All that the page says and draws of a sweep, but for the confirmation."""
    picture = swept.picture()
    said = [swept.answer(), swept.say_effects(), *swept.caveats(), swept.left_out, picture.alt, swept.not_told_apart]
    return [*said, picture.figure.to_json(), swept.table.to_csv(), swept.effects.to_csv(), swept.recipe_that_confirms]


def test_nothing_but_the_confirmation_reads_the_test_images(tmp_path: Path, small_data):
    shown = []
    for tested in (0.9, 0.2):
        store = Store(tmp_path / str(tested) / "fmnist.db")
        library = sweep_of(store, small_data, tested)
        before = [*everything(found(library)), found(library).standing()]
        confirm(store, small_data, BEST, (tested,) * 3)
        assert everything(found(library)) == before[:-1], "what confirms takes no part in choosing"
        assert f"**Confirmed figure: {tested:.1%}** of the test images" in found(library).standing()
        shown.append(before)
    assert shown[0] == shown[1]


def test_confirmed_is_what_was_trained_with_new_seeds_on_all_images(store, small_data):
    library = sweep_of(store, small_data, tested=0.1)
    confirm(store, small_data, BEST, (0.7, 0.71, 0.72), first=0)  # Seeds that might have taken part in choosing.
    confirm(store, small_data, OTHER, (0.6,))
    assert found(library).confirmation is None
    confirm(store, small_data, BEST, (0.84, 0.83, 0.85))
    assert found(library).standing() == (
        "**Confirmed figure: 84.0%** of the test images on average over 3 new seeds (95% interval 81.5% to 86.5%), "
        "trained on all 60,000 images. The published recipe has not been trained with these seeds yet."
    )
    confirm(store, small_data, PUBLISHED, (0.60, 0.62, 0.61))
    known = found(library).confirmation
    assert known and known.better and known.difference and known.difference.mean == pytest.approx(0.23)
    assert (
        "This setting beats the published recipe by 23.0 points (95% confidence interval" in found(library).standing()
    )
    assert not library.groups("fashion-mnist", "own")[0].recipe.validation


def test_a_run_that_failed_to_learn_counts_in_what_is_confirmed_and_is_named(store, small_data):
    library = sweep_of(store, small_data, tested=0.1)
    confirm(store, small_data, BEST, (0.84, 0.83))
    assert "failed to learn" not in found(library).standing()
    dead = Recipe("0", FIRST_SEED + 2, learning_rate=BEST)
    run = finished_run(store, dead, small_data, never=tuple(range(1, 10)))
    known = found(library).confirmation
    assert known and known.accuracy == pytest.approx((0.84 + 0.83 + run.finished_result.test_accuracy) / 3)
    said = found(library).standing()
    assert "1 of 3 runs failed to learn (dead: it answers the same class for every image)" in said
    assert said.endswith("is included in the means.")


def test_a_seed_that_failed_to_learn_on_two_kinds_of_device_is_counted_once(store, small_data):
    library = sweep_of(store, small_data, tested=0.1)
    dead = Recipe("0", FIRST_SEED, learning_rate=BEST)
    for device in ("cpu", "A GPU"):
        finished_run(store, dead, small_data, never=tuple(range(1, 10)), device=device)
    known = found(library).confirmation
    assert known and (known.dead, len(known.chosen)) == (1, 1)
    assert "It failed to learn (dead: " in known.say() and "2 of 1" not in known.say()


def test_where_nothing_was_held_out_the_choice_is_said_to_be_lucky_and_confirmed_alike(store, small_data):
    library = Library(store, None)
    for rate, accuracy in ((BEST, 0.9), (PUBLISHED, 0.8)):
        confirm(store, small_data, rate, (accuracy, accuracy - 0.02), first=0)
    before = found(library)
    assert "by the luck of choosing: the same test images chose it" in before.standing()
    confirm(store, small_data, BEST, (0.7, 0.7))
    after = found(library)
    assert after.answer() == before.answer() and "**Confirmed figure: 70.0%** of the test images" in after.standing()


def test_what_is_trained_to_confirm_and_what_counts_already(store, small_data):
    library = sweep_of(store, small_data, tested=0.1)
    recipe = found(library).recipe_that_confirms
    assert recipe == Recipe("0", learning_rate=BEST)
    confirm(store, small_data, PUBLISHED, (0.6,))
    asked = confirmation.to_train(library, recipe, 2)
    assert [(one.learning_rate, one.seed - FIRST_SEED) for one in asked] == [(BEST, 0), (BEST, 1), (PUBLISHED, 1)]
    assert len(confirmation.to_train(library, Recipe("0"), 2)) == 1


def test_the_best_epoch_is_confirmed_as_the_number_of_epochs(store, small_data):
    recipe = Recipe("0", learning_rate=BEST, validation=HELD_OUT, keep="best", epochs=9)
    run = finished_run(store, recipe, small_data)
    runs = tuple(replace(run, result=result(kept_epoch=kept, validation_accuracy=0.8)) for kept in (3, 5, 8))
    group = Group("own", recipe, "CPU", runs, "Model 0")
    assert confirmation.recipe_that_confirms(group) == Recipe("0", learning_rate=BEST, epochs=5)


def test_failures_of_what_confirms_are_none_of_the_sweep(store, small_data):
    library = sweep_of(store, small_data, tested=0.1)
    ended_run(store, Recipe("0", FIRST_SEED, learning_rate=BEST), small_data, Status.FAILED, "Why.")
    assert found(library).table["failed"].sum() == 0


def test_of_equal_settings_the_confirmed_figure_is_right_and_hardly_ever_one_is_called_better():
    rng = np.random.default_rng(0)
    for model, values in simulation.known_accuracies().items():
        for seeds in simulation.SEEDS:
            simulated = simulation.simulate(model, values, seeds, 400, rng)
            assert abs(simulated.off) <= 0.2 and simulated.named_better <= 0.06, (model, seeds, simulated)
            assert simulated.looks_better > 0.5
