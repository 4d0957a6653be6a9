"""Grids: which recipes lists make, in which order, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.answers import is_one_sentence

from fmnist.grid import (
    FACTORS,
    MAX_RUNS,
    SETTINGS,
    Grid,
    Several,
    as_text,
    decimals,
    differing,
    distinguish,
    held_out_numbers,
    spanning,
    whole_numbers,
    worth_showing,
)
from fmnist.recipe import Recipe, RecipeError


def grid(models="0", seeds=1, epochs=(3,), batches=(32,), rates=(0.1,), optimizers=("sgd",)) -> Grid:
    return Grid(list(models), range(seeds), epochs, batches, rates, optimizers, "sample", "cpu")


def test_one_value_each_is_one_recipe_for_each_model_and_seed():
    plain = grid("02", 2)
    assert plain.recipes() == [Recipe(model, seed, "sample", device="cpu") for model in "02" for seed in (0, 1)]
    assert plain.describe() == "2 models × 2 seeds = 4 runs" and not plain.is_sweep
    assert grid().describe() == "one setting = 1 run"


def test_every_combination_is_there_once():
    sweep = grid("012", 2, (1, 2), (32, 64), (0.1, 0.01, 0.10), ("sgd", "adam"))
    recipes = sweep.recipes()
    assert len(recipes) == len({*recipes}) == sweep.count == 3 * 2 * 2 * 2 * 2 * 2
    assert sweep.is_sweep
    assert sweep.describe() == (
        "3 models × 2 optimisers × 2 learning rates × 2 batch sizes × 2 numbers of epochs × 2 seeds = 96 runs"
    )


def test_a_grid_says_in_words_what_its_models_and_seeds_share():
    assert grid().in_words() == "SGD, learning rate 0.1, batches of 32, 3 epochs, on CPU"
    several = grid("02", 5, (1, 3), (32, 1024), (0.01, 0.03, 0.1), ("sgd", "adam"))
    assert several.in_words() == (
        "SGD or Adam, learning rate 0.01, 0.03 or 0.1, batches of 32 or 1,024, 1 or 3 epochs, on CPU"
    )
    assert grid(rates=(0.1, 0.2, 0.3, 0.4, 0.5), epochs=(1,)).in_words().startswith("SGD, 5 learning rates, ")
    assert "1 epoch," in grid(epochs=(1,)).in_words()
    assert grid().is_published and not grid(epochs=(4,)).is_published and not grid(epochs=(3, 4)).is_published


def test_what_is_over_soon_comes_first_and_seeds_stand_side_by_side():
    recipes = grid("20", 2, (3, 1), (16, 64), (0.1, 0.5)).recipes()
    assert [(r.epochs, r.batch_size, r.learning_rate) for r in recipes[::4]] == [
        (1, 64, 0.1),
        (1, 64, 0.5),
        (1, 16, 0.1),
        (1, 16, 0.5),
        (3, 64, 0.1),
        (3, 64, 0.5),
        (3, 16, 0.1),
        (3, 16, 0.5),
    ]
    assert [(r.model, r.seed) for r in recipes[:4]] == [("0", 0), ("0", 1), ("2", 0), ("2", 1)]


def test_a_grid_has_a_bound_that_is_said_before_any_recipe_is_made():
    assert len(grid(seeds=MAX_RUNS).recipes()) == MAX_RUNS
    huge = grid("012", 10**6, range(1, 1000), range(1, 1000))
    with pytest.raises(RecipeError) as error:
        huge.recipes()
    assert is_one_sentence(error.value)
    assert f"{huge.count:,} runs" in str(error.value) and f"{MAX_RUNS:,}" in str(error.value)


@pytest.mark.parametrize("wrong", [{"models": "9"}, {"rates": (0.1, 0.0)}, {"epochs": (0,)}, {"optimizers": ("lion",)}])
def test_a_value_that_cannot_be_used_is_named(wrong):
    with pytest.raises(RecipeError) as error:
        grid(**wrong).recipes()
    assert is_one_sentence(error.value)


@pytest.mark.parametrize("text", ["1, 3", " 1 , 3 ", "1 3", "1;3", "1,,3,"])
def test_lists_as_people_write_them(text):
    assert whole_numbers(text) == [1, 3] and decimals(text) == [1.0, 3.0]


def test_whole_numbers_need_no_space():
    assert whole_numbers("1,3") == [1, 3]


@pytest.mark.parametrize("text", ["0,05", "1,5", "0,05,0,1", "0,05; 0,1", "0.1 0,05"])
def test_a_decimal_comma_is_asked_to_be_a_point(text):
    with pytest.raises(RecipeError, match="decimal comma") as error:
        decimals(text)
    assert is_one_sentence(error.value) and "point" in str(error.value)


def test_the_sentence_on_a_decimal_comma_has_the_number_that_was_meant():
    with pytest.raises(RecipeError, match=r"^'0,05' looks like a decimal comma: write a point, as in 0\.05,"):
        decimals("0,05")


@pytest.mark.parametrize("text", ["0.01,0.1", "1,0.1", "10,1,0.1", "1e-3,1", "0.5,1e-3"])
def test_a_comma_between_numbers_stays_one(text):
    assert decimals(text) == [float(part) for part in text.split(",")]


@pytest.mark.parametrize("text", ["1_0", "1,1_000"])
def test_underscores_are_no_digits(text):
    for read in (whole_numbers, decimals):
        with pytest.raises(RecipeError):
            read(text)


def test_decimals_in_every_form():
    assert decimals("0.1, 1e-3 .5 2") == [0.1, 0.001, 0.5, 2.0]
    assert decimals(as_text([0.1, 0.001, 1e-05])) == [0.1, 0.001, 1e-05]
    assert whole_numbers(as_text([1, 10_000])) == [1, 10_000]


@pytest.mark.parametrize("read", [whole_numbers, decimals])
@pytest.mark.parametrize("text", ["", " , ", "many", "1, two", "0x10", "1" * 5000 + "x", "1-3"])
def test_what_is_no_list_is_said_in_a_short_sentence(read, text):
    with pytest.raises(RecipeError) as error:
        read(text)
    assert is_one_sentence(error.value) and len(str(error.value)) < 120


def test_a_whole_number_is_no_decimal():
    with pytest.raises(RecipeError):
        whole_numbers("1.5")


def test_what_differs_tells_recipes_apart():
    recipes = [Recipe("0", learning_rate=0.1), Recipe("2", 1, learning_rate=0.01), Recipe("2", optimizer="adam")]
    assert [factor.field for factor in differing(recipes)] == ["model", "optimizer", "learning_rate"]
    assert distinguish(recipes[1], differing(recipes)) == "Model 2, SGD, lr 0.01"
    assert worth_showing(recipes) == list(FACTORS[:5])
    assert distinguish(recipes[1], worth_showing(recipes)[1:]) == recipes[1].describe()
    turned = Recipe(
        "2",
        optimizer="adam",
        **{"weight_decay": 0.01, "schedule": "cosine", "shift": 2, "mirror": True, "validation": 5000, "keep": "best"},
    )
    assert worth_showing([*recipes, turned]) == list(FACTORS)
    assert turned.describe() == (
        "Adam, lr 0.1, batch 32, 3 epochs, weight decay 0.01, cosine, shift 2, mirrored, 5,000 held out, best epoch"
    )
    assert distinguish(turned, SETTINGS) == turned.describe()
    assert spanning([turned], 1).recipes() == [turned]
    assert differing([Recipe("0", seed) for seed in range(3)]) == []


def test_a_grid_that_holds_some_recipes():
    recipes = [Recipe("0", learning_rate=0.1), Recipe("2", learning_rate=0.01)]
    spanned = spanning(recipes, 2)
    assert spanned.count == 8
    assert {recipe.group() for recipe in spanned.recipes()} >= {*recipes}


def test_a_sweep_holds_out_images_if_nobody_says_how_many_and_fewer_of_smaller_data():
    single = Grid(["0", "2"], range(3), [3], [32], [0.1], ["sgd"], "fashion-mnist", validations=None)
    assert single.validations == (0,)
    sweep = replace(single, learning_rates=[0.1, 0.01], validations=None)
    assert sweep.validations == (10_000,) and {recipe.validation for recipe in sweep.recipes()} == {10_000}
    assert sweep.on("sample").validations == (2_000,) and single.on("sample").validations == (0,)
    assert replace(sweep, validations=[0, 20_000]).on("sample").validations == (0, 6_000)


def test_held_out_images_are_read_as_they_are_written():
    for text, numbers in (("auto", None), (" AUTO", None), ("0, 500", [0, 500])):
        assert held_out_numbers(text) == numbers and held_out_numbers(as_text(numbers)) == numbers
    with pytest.raises(RecipeError, match="'most' is not a whole number"):
        held_out_numbers("most")


def test_recipes_that_are_no_grid_are_described_by_their_numbers():
    listed = Several(tuple(Recipe("0", seed, learning_rate=rate) for rate in (0.1, 0.2) for seed in range(3)))
    assert listed.describe() == "2 settings, 6 runs" and listed.dataset == "fashion-mnist"
    assert Several((Recipe("0"),)).describe() == "1 setting, 1 run"
