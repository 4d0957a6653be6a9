"""compare, in each of its formats."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from helpers.making import finished_run

from fmnist.recipe import Recipe

COMPARED = {
    *("model", "dataset", "source", "recipe", "seeds", "accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max"),
    *("dead", "train_seconds", "eval_seconds", "image_seconds", "single_seconds"),
    *("parameters", "device", "conditions", "measured_on"),
}


def test_compare_as_json(fmnist, trained):
    answer = fmnist("compare", "--format", "json")
    assert answer.code == 0
    rows = json.loads(answer.out)
    assert all(set(row) == COMPARED for row in rows)
    two, one = sorted(rows, key=lambda row: row["model"])
    accuracies = [run.result.test_accuracy for run in trained.runs() if run.recipe.model == "0"]
    assert (two["model"], two["dataset"], two["source"], two["seeds"]) == ("0", "sample", "own", [0, 1])
    assert two["accuracy_mean"] == pytest.approx(np.mean(accuracies))
    assert two["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert (two["accuracy_min"], two["accuracy_max"]) == (min(accuracies), max(accuracies))
    assert (two["parameters"], two["dead"], two["device"]) == (7_850, 0, "CPU")
    assert two["recipe"] == "SGD, lr 0.1, batch 32, 1 epoch"
    assert one["seeds"] == [0] and one["accuracy_std"] is None


def test_compare_as_csv(fmnist, trained):
    answer = fmnist("compare", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert answer.code == 0 and len(rows) == 2
    assert set(rows[0]) == COMPARED
    assert {row["model"]: row["seeds"] for row in rows} == {"0": "0 1", "1": "0"}
    assert {row["model"]: row["accuracy_std"] == "" for row in rows} == {"0": False, "1": True}


def test_compare_as_a_table(fmnist, trained):
    answer = fmnist("compare")
    title, header, *lines = answer.out.splitlines()
    assert answer.code == 0 and title == "Sample data"
    assert header.split()[:6] == ["model", "seeds", "accuracy", "std", "training", "lowest"]
    assert lines[0].startswith("Model 0      2  ") and lines[1].startswith("Model 1      1  ")
    # What is the same in all rows is said once.
    assert lines[2:4] == ["source: own", "recipe: SGD, lr 0.1, batch 32, 1 epoch"]
    assert answer.out.count("%") == 2 * 4 - 1 and "nan" not in answer.out and "None" not in answer.out


@pytest.mark.parametrize("columns", [60, 80, 120, 240])
def test_the_table_fits_the_terminal(fmnist, trained, small_data, monkeypatch, columns):
    finished_run(trained, Recipe("2", 3, "fashion-mnist", 2, 64, 0.05, "sgd-momentum"), small_data)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = fmnist("compare", "--reference").out.splitlines()
    assert max(map(len, lines)) <= columns
    for needed in ("model", "source", "seeds", "accuracy", "training"):
        assert needed in lines[1].split()
    assert ("conditions" in lines[1].split()) == (columns == 240)
    (wide,) = [line for line in lines if line.startswith("Model 2") and "own" in line]
    recipe = "SGD, momentum 0.9, lr 0.05, batch 64, 2 epochs"
    assert recipe in wide if columns >= 120 else f"{recipe[:8]}" in wide and "…" in wide


@pytest.mark.parametrize("columns", [80, 120])
def test_the_device_stays_where_it_alone_tells_rows_apart(fmnist, trained, small_data, monkeypatch, columns):
    finished_run(trained, Recipe("0", dataset="sample", epochs=1), small_data, device="NVIDIA H100 80GB HBM3")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = fmnist("compare").out.splitlines()
    assert max(map(len, lines)) <= columns and "device" in lines[1].split()
    assert {line.split()[-1] for line in lines if line.startswith("Model 0")} != {"CPU"}


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("held_out", [0, 50])
def test_runs_that_failed_to_learn_are_said_to_have_whatever_the_room(
    fmnist, store, small_data, monkeypatch, columns, held_out
):
    monkeypatch.setenv("COLUMNS", str(columns))
    recipes = [Recipe(model, seed, "sample", validation=held_out) for model, seed in (("0", 0), ("1", 0), ("1", 1))]
    for recipe in recipes:
        finished_run(store, recipe, small_data, never=tuple(range(1, 10)) if recipe.model == "1" else ())
    _, header, best, worst, *said = fmnist("compare").out.splitlines()
    column = slice(header.index("dead"), header.index("dead") + 4)
    assert {line[:7]: line[column].strip() for line in (best, worst)} == {"Model 0": "0", "Model 1": "2"}
    assert any(line.startswith("2 of 3 runs failed to learn") for line in said)


def test_times_that_cannot_be_compared_are_said_not_to_be(fmnist, store, small_data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    finished_run(store, Recipe("0"), small_data, seconds=1.0)
    finished_run(store, Recipe("1"), small_data, seconds=2.0)
    assert "can be compared" not in fmnist("compare").out
    finished_run(store, Recipe("2"), small_data, seconds=95.0, machine="Another processor")
    assert "times: not all can be compared" in fmnist("compare").out
    monkeypatch.setenv("COLUMNS", "300")
    told = fmnist("compare").out
    assert "can be compared" not in told and "CPU of Another processor, alone" in told


def test_each_data_set_has_a_table_of_its_own(fmnist, store, small_data):
    for name in ("mnist", "fashion-mnist", "kmnist"):
        finished_run(store, Recipe("0", dataset=name), small_data)
    tables = fmnist("compare").out.strip().split("\n\n")
    assert [table.splitlines()[0] for table in tables] == ["FashionMNIST", "MNIST", "KMNIST"]
    assert all(sum(line.startswith("Model ") for line in table.splitlines()) == 1 for table in tables)


@pytest.mark.parametrize("format", ["json", "csv", "table"])
def test_compare_nothing(fmnist, format):
    answer = fmnist("compare", "--format", format)
    assert answer.code == 0
    if format == "json":
        assert json.loads(answer.out) == []
    elif format == "csv":
        assert set(answer.out.strip().split(",")) == COMPARED
    else:
        assert "Nothing has been trained" in answer.out
