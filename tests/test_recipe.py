"""Recipes: what makes two of them the same result, and what can't be trained."""

from __future__ import annotations

import dataclasses
import json

import pytest
from helpers.answers import is_one_sentence

from fmnist import recipe as recipe_module
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe, RecipeError

CHANGES = {
    "model": "1",
    "seed": 1,
    "dataset": "sample",
    "epochs": 4,
    "batch_size": 64,
    "learning_rate": 0.2,
    "optimizer": "adam",
    "device": "cpu",
    "validation": 5_000,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "shift": 2,
    "mirror": True,
    "keep": "best",
}
REFERENCE_KEYS = {
    ("0", 0): "c8726437d0b4b930bed5530a807cd469",
    ("1", 0): "5053feabf51299f2f8e9fc6d6d75bfd9",
    ("2", 0): "0cac1d9be49f86c30f49ee462b1a6f6d",
    ("0", 1): "2040cdb46b1ae9a620c54c8ee7d8de3f",
}
FASHION_MNIST = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f"
"""The fingerprint of the data on which the reference runs were trained."""


def test_equal_recipes_have_equal_keys():
    assert Recipe("0", 3).key("data") == Recipe(model="0", seed=3, epochs=3).key("data")


def test_every_field_has_a_change_here():
    assert set(CHANGES) == {field.name for field in dataclasses.fields(Recipe)}


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_is_part_of_the_key(field):
    before = {"keep": Recipe("0", validation=1), "weight_decay": Recipe("0", optimizer="adam")}.get(field, Recipe("0"))
    assert dataclasses.replace(before, **{field: CHANGES[field]}).key("data") != before.key("data")


@pytest.mark.parametrize("model, seed", REFERENCE_KEYS)
def test_recipes_without_later_fields_have_the_keys_that_they_always_had(model, seed):
    recipe = Recipe(model, seed)
    assert recipe.key(FASHION_MNIST) == REFERENCE_KEYS[model, seed]
    assert json.loads(recipe.to_json()).keys().isdisjoint(recipe_module.LATER)


@pytest.mark.parametrize("field", recipe_module.LATER)
def test_a_later_field_is_left_out_of_the_json_at_its_default(field):
    assert recipe_module.LATER[field] == getattr(Recipe("0"), field)
    before = Recipe("0", optimizer="adam", validation=0 if field == "validation" else 1)
    changed = dataclasses.replace(before, **{field: CHANGES[field]})
    assert json.loads(changed.to_json()) == json.loads(before.to_json()) | {field: CHANGES[field]}


def test_data_are_part_of_the_key():
    assert Recipe("0").key("data") != Recipe("0").key("other data")


def test_the_models_code_is_part_of_the_key(monkeypatch):
    before = Recipe("0").key("data")
    monkeypatch.setitem(ARCHITECTURES, "0", dataclasses.replace(ARCHITECTURES["0"], build=ARCHITECTURES["1"].build))
    assert Recipe("0").key("data") != before


def test_the_models_colour_is_not(monkeypatch):
    before = Recipe("0").key("data")
    monkeypatch.setitem(ARCHITECTURES, "0", dataclasses.replace(ARCHITECTURES["0"], color="#000000", name="Linear"))
    assert Recipe("0").key("data") == before


def test_the_training_loops_version_is_part_of_the_key(monkeypatch):
    before = Recipe("0").key("data")
    monkeypatch.setattr(recipe_module, "TRAINING_VERSION", recipe_module.TRAINING_VERSION + 1)
    assert Recipe("0").key("data") != before


@pytest.mark.parametrize("recipe", [Recipe("0"), Recipe("2", **{k: v for k, v in CHANGES.items() if k != "model"})])
def test_json_gives_the_recipe_back(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe
    known = {name for name, default in recipe_module.LATER.items() if getattr(recipe, name) == default}
    assert json.loads(recipe.to_json()).keys() == dataclasses.asdict(recipe).keys() - known


@pytest.mark.parametrize(
    "field, value, named",
    [
        ("model", "9", "model"),
        ("dataset", "cifar10", "dataset"),
        ("optimizer", "lion", "optimizer"),
        ("device", "tpu", "device"),
        ("seed", -1, "seed"),
        ("seed", 2**31, "seed"),
        ("seed", 0.5, "seed"),
        ("epochs", 0, "epochs"),
        ("epochs", 1001, "epochs"),
        ("batch_size", 0, "batch size"),
        ("batch_size", 10_001, "batch size"),
        ("learning_rate", 0.0, "learning rate"),
        ("learning_rate", -0.1, "learning rate"),
        ("learning_rate", 101.0, "learning rate"),
        ("learning_rate", float("nan"), "learning rate"),
        ("learning_rate", float("inf"), "learning rate"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_sentence(field, value, named):
    with pytest.raises(RecipeError, match=named) as refused:
        Recipe(**{"model": "0", field: value})
    assert is_one_sentence(refused.value)
    assert str(value) in str(refused.value)


@pytest.mark.parametrize("changes", [{}, {"model": "2"}, {"seed": 7}, {"dataset": "mnist"}, {"device": "cpu"}])
def test_published_whatever_the_model_seed_data_and_device(changes):
    assert Recipe(**{"model": "0", **changes}).published


@pytest.mark.parametrize("field", ["epochs", "batch_size", "learning_rate", "optimizer"])
def test_not_published_with_anything_else_changed(field):
    assert not Recipe(**{"model": "0", field: CHANGES[field]}).published


def test_a_group_shares_all_but_seed_and_device():
    one, other = Recipe("1", 1, epochs=5, device="cpu"), Recipe("1", 2, epochs=5)
    assert one.group() == other.group() == Recipe("1", epochs=5)
    assert Recipe("1", epochs=6).group() != one.group()


def test_describe():
    assert Recipe("2", 5).describe() == "SGD, lr 0.1, batch 32, 3 epochs"
    changed = Recipe("0", epochs=1, learning_rate=0.001, optimizer="adam", batch_size=100)
    assert changed.describe() == "Adam, lr 0.001, batch 100, 1 epoch"
