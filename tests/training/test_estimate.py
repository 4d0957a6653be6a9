"""How long training will still take, from how long it took before."""

from __future__ import annotations

from pathlib import Path

import pytest
from store.test_library import done

from fmnist.data.catalog import DATASETS
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Point, Start
from fmnist.store.store import Store
from fmnist.training.estimate import CLOSING_SECONDS, estimate_seconds, image_passes, queue_seconds, seconds_left


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Library:
    """The test's store beside a reference store with a run of Model 0 and one of Model 2."""
    reference = Store(tmp_path / "reference.db")
    for recipe in (Recipe("0"), Recipe("2")):
        done(reference, recipe)
    reference._db.execute("PRAGMA journal_mode = DELETE")
    reference.close()
    return Library(store, reference.path)


def test_work_is_images_trained_on_and_evaluations_in_the_same_unit():
    recipe = Recipe("0", epochs=2, batch_size=10)
    assert image_passes(recipe, 0, 36) == 0
    assert image_passes(recipe, 17, 36) == 170  # within the first epoch of 18 steps
    assert image_passes(recipe, 18, 36) == pytest.approx(180 + 10)  # and its evaluation
    assert image_passes(recipe, 36, 36) == pytest.approx(360 + 2 * 10)


@pytest.mark.parametrize("info", DATASETS.values(), ids=lambda info: info.id)
def test_the_work_of_an_evaluation_follows_from_the_data_sets_sizes(info):
    """An epoch is the images that are trained on, and a third of the arithmetic for each that is tested."""
    recipe = Recipe("0", dataset=info.id, epochs=1, batch_size=1)
    assert image_passes(recipe, info.train, info.train) == pytest.approx(info.train + info.test / 3)


def estimated(library: Library, *recipes: Recipe, slots: int = 1) -> float | None:
    """Seconds for 100 images, without what each wave of runs takes besides training."""
    seconds = estimate_seconds(library, recipes, images=100, slots=slots)
    return seconds and seconds - len({recipe.group() for recipe in recipes}) * CLOSING_SECONDS


def test_estimated_seconds_come_from_the_time_per_step_and_per_evaluation(library):
    # Both took 2 seconds for 100 steps of 32 images, and 1 second for 3 evaluations.
    assert estimated(library, Recipe("0", epochs=2)) == pytest.approx(2 * (4 * 2 / 100 + 1 / 3))
    recipes = [Recipe("0", epochs=2), Recipe("2", epochs=1)]
    assert estimated(library, *recipes) == pytest.approx(3 * (4 * 2 / 100 + 1 / 3))
    done(library.own, Recipe("0", epochs=7), train_seconds=9.0)  # own runs say more than the reference's machine
    assert estimated(library, Recipe("0", epochs=2)) == pytest.approx(2 * (4 * 9 / 100 + 1 / 7))


def test_what_was_trained_elsewhere_tells_nothing_where_something_was_trained_here(library):
    """An imported run has no folder of data; it is newer, and of another machine."""
    done(library.own, Recipe("0", epochs=7), train_seconds=9.0)
    imported = done(library.own, Recipe("0", 1, epochs=7), train_seconds=900.0)
    with library.own._write() as db:
        db.execute("UPDATE runs SET data_root = '' WHERE id = ?", (imported,))
    assert estimated(library, Recipe("0", epochs=2)) == pytest.approx(2 * (4 * 9 / 100 + 1 / 7))
    done(library.own, Recipe("1"), train_seconds=5.0)
    with library.own._write() as db:
        db.execute("UPDATE runs SET data_root = ''")
    assert estimated(library, Recipe("1", epochs=1))  # It is better than nothing.


def test_of_several_batch_sizes_and_optimisers_those_that_were_trained_are_taken(library):
    for size, seconds in ((10, 1.0), (40, 4.0)):
        done(library.own, Recipe("0", batch_size=size), train_seconds=seconds, eval_seconds=0.0)
    done(library.own, Recipe("0", batch_size=10, optimizer="adam"), train_seconds=6.0, eval_seconds=0.0)

    def step(batch_size: int, optimizer: str = "sgd") -> float:
        recipe = Recipe("0", epochs=1, batch_size=batch_size, optimizer=optimizer)
        return estimated(library, recipe) / -(-100 // batch_size)

    assert step(10) == pytest.approx(0.01) and step(40) == pytest.approx(0.04)
    assert step(20) == pytest.approx(0.02)  # On the line between them.
    assert step(2) == pytest.approx(0.01 * (2 / 10) ** 0.5) and step(100) == pytest.approx(0.04 * (100 / 40) ** 0.5)
    assert step(10, "adam") == pytest.approx(0.06)
    assert step(40, "sgd-momentum") == step(40)  # Nobody has trained with it: that of another one.


def test_seeds_that_are_trained_side_by_side_share_the_machine(library):
    # Model 0 uses one thread; the runs of Model 2 use two, or one each if there are two at once.
    done(library.own, Recipe("0"), train_seconds=1.0, eval_seconds=0.0, threads=1)
    done(library.own, Recipe("2"), train_seconds=10.0, eval_seconds=0.0, threads=2)

    def epochs(model: str, seeds: int, slots: int) -> float:
        recipes = [Recipe(model, seed, epochs=1) for seed in range(seeds)]
        waves = -(-seeds // slots)
        return (estimate_seconds(library, recipes, 3200, slots) - waves * CLOSING_SECONDS) / (
            1.0 if model == "0" else 10
        )

    assert [epochs("0", seeds, 1) for seeds in (1, 2, 3)] == pytest.approx([1, 2, 3])
    assert [epochs("0", seeds, 2) for seeds in (1, 2, 3, 5)] == pytest.approx([1, 1, 2, 3])
    assert [epochs("2", seeds, 2) for seeds in (1, 2, 3, 5)] == pytest.approx([1, 2, 3, 5])
    assert [epochs("2", seeds, 4) for seeds in (1, 4, 5)] == pytest.approx([1, 2, 3])


def test_nothing_is_estimated_for_a_model_that_was_never_trained(library):
    assert estimated(library, Recipe("0"), Recipe("1")) is None
    assert estimate_seconds(library, [], images=100, slots=2) == 0


def test_a_run_at_work_goes_on_at_its_mean_speed_so_far(store):
    """2 epochs of 10 steps of 6,000 images, of which half is done; and an evaluation counts as 10,000 / 3 images."""
    recipe = Recipe("0", epochs=2, batch_size=6000)
    ((id, _),) = store.enqueue([(recipe, "key")], Path("/"))
    store.claim()
    store.record_start(id, Start("cpu", 1, "m", {}, parameters=5, multiply_adds=6, steps=20, step=0))
    assert seconds_left(store.run(id)) is None  # Nothing is reported yet.
    store.record(id, [Point("train", 10, 1, 0.1, 2.0, 0.5)], images_per_second=1000.0, artifacts={})
    assert seconds_left(store.run(id)) == pytest.approx((60_000 + 10_000 / 3) / 1000 + CLOSING_SECONDS)


def test_of_recipes_on_several_data_sets_the_times_add_up(library):
    recipes = [Recipe("0"), Recipe("2", 1), Recipe("0", dataset="sample"), Recipe("0", 1, dataset="sample")]
    sizes = {"fashion-mnist": 3200, "sample": 100}
    parts = [estimate_seconds(library, part, images, 1) for part, images in ((recipes[:2], 3200), (recipes[2:], 100))]
    assert queue_seconds(library, recipes, sizes.get, slots=1) == pytest.approx(sum(parts))
    assert queue_seconds(library, recipes, {"fashion-mnist": 3200}.get, slots=1) is None
    assert queue_seconds(library, [], {}.get, slots=1) == 0
