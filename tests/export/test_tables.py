"""CSV and Parquet: pandas reads the numbers of the store."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.answers import is_one_sentence

from export.conftest import write
from fmnist import metrics
from fmnist.data.catalog import CLOTHES
from fmnist.store.label import Label


def _read_csv(path: Path) -> pd.DataFrame:
    times = ["created", "started", "finished"] if path.stem == "runs" else None
    return pd.read_csv(path, parse_dates=times)


@pytest.mark.parametrize("form, read", [("csv", _read_csv), ("parquet", pd.read_parquet)])
def test_pandas_reads_the_tables_with_equal_numbers(form: str, read: Callable, chosen, small_data, tmp_path):
    chosen.library.own.set_label(chosen.runs[0].id, Label("Best", "from the talk"))
    assert write(form, chosen, tmp_path) == []
    runs, curves, predictions, classes = (
        read(tmp_path / f"{name}.{form}") for name in ("runs", "curves", "predictions", "classes")
    )
    assert list(runs["test_accuracy"]) == [run.result.test_accuracy for run in chosen.runs]
    assert list(runs["seed"]) == [run.recipe.seed for run in chosen.runs]
    labels = runs[["name", "note"]].fillna("").to_numpy().tolist()
    assert labels == [["Best", "from the talk"], *[["", ""]] * (len(chosen.runs) - 1)]
    assert runs["learning_rate"].dtype == np.float64 and runs["seed"].dtype == np.int64 and runs["dead"].dtype == bool
    assert np.allclose(runs["finished"].astype("int64") / 1e9, [run.finished for run in chosen.runs], atol=1e-3)
    history = chosen.library.history(chosen.runs)
    for name in ("step", "epoch", "seconds", "loss", "accuracy"):
        assert list(curves[name]) == list(history[name]) and curves[name].dtype == history[name].dtype
    assert len(predictions) == len(chosen.runs) * len(small_data.test_labels)
    for run, (_, rows) in zip(chosen.runs, predictions.groupby("run", sort=False), strict=True):
        assert np.array_equal(rows["label"].astype(int), small_data.test_labels)
        assert np.array_equal(rows["predicted"], chosen.library.predictions(run))
        assert (rows["label"] == rows["predicted"]).mean() == pytest.approx(run.result.test_accuracy)
        probabilities = rows[[f"probability_{label}" for label in range(10)]].to_numpy()
        assert np.array_equal(probabilities, metrics.softmax(chosen.library.logits(run)))
    assert list(classes["name"]) == list(CLOTHES.classes)


def test_what_is_not_counted_is_said_in_the_table_and_on_the_card(chosen, tmp_path):
    runs = (replace(chosen.runs[0], multiply_adds=None), chosen.runs[1])
    write("csv", replace(chosen, runs=runs), tmp_path)
    lines = (tmp_path / "runs.csv").read_text("utf-8-sig").splitlines()
    read = list(csv.DictReader(lines))
    assert [row["multiply_adds"] for row in read] == ["", "7840"]
    assert [row["remarks"].endswith("multiply-adds not counted") for row in read] == [True, False]
    write("safetensors", replace(chosen, runs=runs[:1]), tmp_path)
    assert "7,850 parameters, its multiplications for an image are not counted" in (tmp_path / "README.md").read_text()


def test_tables_without_data_leave_the_labels_empty(without_data, tmp_path):
    assert is_one_sentence(write("parquet", without_data, tmp_path)[0])
    assert pd.read_parquet(tmp_path / "predictions.parquet")["label"].isna().all()
