"""What a store's file says of a run, as values: how it stands, and what came out."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.making import finished_run, result

from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.run import ACTIVE, UNFINISHED, Result, Status
from fmnist.store.store import Store


def test_a_run_that_stands_in_no_other_way_is_active_unfinished_or_done():
    assert {*ACTIVE, *UNFINISHED, Status.DONE} == set(Status)
    assert len(ACTIVE) + len(UNFINISHED) + 1 == len(Status)


@pytest.mark.parametrize("changes", [{}, {"never_predicted": (3, 7), "zero_layers": ("8",), "at_once": 2}])
def test_a_result_is_read_as_it_was_written(changes):
    written = result(**changes)
    assert Result.from_json(written.to_json()) == written


def test_a_result_of_an_earlier_version_lacks_what_was_not_measured_then():
    fields = json.loads(result(single_seconds=None).to_json())
    assert "single_seconds" not in fields
    for name in ("never_predicted", "zero_layers", "at_once"):
        del fields[name]
    assert Result.from_json(json.dumps(fields)) == result(single_seconds=None)


def test_what_a_later_version_may_have_added_is_left_out():
    fields = json.loads(result().to_json()) | {"joules": 12.5}
    assert Result.from_fields(fields) == result()


@pytest.mark.parametrize(
    "name, value",
    [
        ("test_accuracy", "0.8"),
        ("test_loss", None),
        ("train_seconds", True),
        ("eval_seconds", float("nan")),
        ("single_seconds", None),
        ("dead", 0),
        ("never_predicted", 3),
        ("never_predicted", [True]),
        ("zero_layers", [8]),
        ("at_once", 1.5),
    ],
)
def test_a_field_of_another_type_makes_no_result(name, value):
    fields = json.loads(result().to_json()) | {name: value}
    assert Result.faults(fields) == [name]
    with pytest.raises(ValueError, match=f"^no {name}$"):
        Result.from_fields(fields)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", "{}"])
def test_what_is_no_result(text):
    with pytest.raises(ValueError):
        Result.from_json(text)


def test_a_run_with_a_damaged_result_is_left_alone(store: Store, small_data: Dataset, runs_path: Path):
    first, second = (finished_run(store, Recipe("0", seed, "sample"), small_data) for seed in (0, 1))
    with sqlite3.connect(runs_path) as db:
        db.execute("UPDATE runs SET result = json_remove(result, '$.test_loss') WHERE id = ?", (first.id,))
    db.close()
    assert store.run(first.id) is None
    assert store.finished() == [second]


@pytest.mark.parametrize("model, said", [("0", ""), ("2", ", without compiled kernels")])
def test_autograd_is_a_condition_where_compiled_kernels_would_have_been_faster(
    store: Store, small_data: Dataset, model, said
):
    usual = finished_run(store, Recipe(model, dataset="sample"), small_data)
    assert usual.conditions == "CPU of A processor, alone" and usual.compiled == (model == "2")
    autograd = replace(usual, versions={"python": "3.11", "torch": "2.15"})
    assert autograd.conditions == f"CPU of A processor, alone{said}"
