"""Runs are taken elsewhere from Compare and Train, as by the command line."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence
from helpers.making import ended_run, finished_run
from helpers.ui import (
    COMPARE,
    TRAIN,
    again,
    choose_rows,
    labels,
    says,
    shown,
    visit,
)
from streamlit.testing.v1 import AppTest

from fmnist.export import FORMATS
from fmnist.recipe import Recipe
from fmnist.ui import export_panel

pytestmark = pytest.mark.usefixtures("bare_pages", "started")


def make(at: AppTest, panel: str, form: str) -> AppTest:
    """Choose a format on Compare or Train, and have the files made."""
    at.selectbox(f"{panel}-format").set_value(form)
    again(at)
    at.button(f"{panel}-make").click()
    return again(at)


def test_compared_runs_are_exported_as_the_command_line_does(store, small_data, small_sample, fashion):
    for seed in (0, 1):
        finished_run(store, Recipe("0", seed, "sample"), small_data, weights=True)
    at = make(visit(COMPARE), "compared", "csv")
    [button] = [button for button in at.get("download_button") if "Save" in button.proto.label]
    assert "fmnist-csv-1.zip" in button.proto.label
    _, content, *_ = at.session_state[export_panel.KEPT]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {Path(name).name for name in archive.namelist()}
        assert names == {"runs.csv", "curves.csv", "predictions.csv", "classes.csv"}
        runs = archive.read("fmnist-csv-1/runs.csv").decode()
    assert len(runs.splitlines()) == 3 and all(run.key in runs for run in store.runs())
    at.selectbox("compared-format").set_value("parquet")
    again(at)
    assert not [button for button in at.get("download_button") if "Save" in button.proto.label]  # Another format's.


def test_chosen_rows_of_train_are_exported(store, small_data, started):
    finished_run(store, Recipe("0"), small_data, weights=True)
    ended_run(store, Recipe("1"), small_data, "failed", "No luck.")
    at = visit(TRAIN)
    choose_rows(at, 0, 1)
    assert "Prepare 1 run to download" in labels(at)  # Of the finished one.


def test_an_export_that_fails_is_said_in_a_sentence(store, small_data, small_sample, fashion):
    run = finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    at = visit(COMPARE)
    with sqlite3.connect(store.path) as db:  # Behind the page's back.
        db.execute("DELETE FROM artifacts WHERE run = ? AND name = 'weights'", (run.id,))
    make(at, "compared", "safetensors")
    [error] = shown(at, "error")
    assert is_one_sentence(error) and "weights" in error


def test_mlflow_is_logged_to_what_the_environment_names_alone(store, small_data, small_sample, fashion, monkeypatch):
    pytest.importorskip("mlflow")
    finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    at = visit(COMPARE)
    at.selectbox("compared-format").set_value("mlflow")
    again(at)
    assert [code.value for code in at.code] == ["python -m fmnist export 1 --to mlflow --tracking-uri URI"]
    assert "compared-make" not in [button.key for button in at.button]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "Log 1 run" in labels(again(at))


def test_what_is_not_installed_is_named_in_its_place(store, small_data, small_sample, fashion, monkeypatch):
    finished_run(store, Recipe("0", 0, "sample"), small_data, weights=True)
    absent = replace(FORMATS["onnx"], needs=("no_such_package",))
    monkeypatch.setitem(FORMATS, "onnx", absent)
    at = visit(COMPARE)
    at.selectbox("compared-format").set_value("onnx")
    again(at)
    assert says(at, "requirements\\-export") and "compared-make" not in [button.key for button in at.button]
