"""TensorBoard finds the curves and the hyperparameters."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import numpy as np
import pytest
from helpers.browser import free_port
from helpers.processes import wait_for

from export.conftest import serving, write
from fmnist.export.chosen import file_name


def test_tensorboards_reader_finds_the_curves(chosen, tmp_path):
    write("tensorboard", chosen, tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = chosen.library.history(chosen.runs)
    for run in chosen.runs:
        for split in ("train", "test"):
            reader = EventAccumulator(str(tmp_path / file_name(run) / split), size_guidance={"scalars": 0})
            reader.Reload()
            curve = history[(history["run"] == run.address) & (history["split"] == split)]
            assert set(reader.Tags()["scalars"]) == {"accuracy", "loss"}
            for tag in ("accuracy", "loss"):
                points = reader.Scalars(tag)
                assert [point.step for point in points] == list(curve["step"])
                assert [point.value for point in points] == [float(np.float32(value)) for value in curve[tag]]
                assert np.allclose([point.wall_time - run.started for point in points], curve["seconds"], atol=1e-5)


def test_a_tensorboard_server_shows_curves_and_hyperparameters(chosen, tmp_path):
    logs = tmp_path / "logs"
    write("tensorboard", chosen, logs)
    before = {path: path.read_bytes() for path in logs.rglob("*tfevents*")}
    write("tensorboard", chosen, logs)
    assert {path: path.read_bytes() for path in logs.rglob("*tfevents*")} == before  # Again is not twice.
    port = free_port()
    url = f"http://127.0.0.1:{port}/data"

    def ask(path: str, body: dict | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--port", str(port)]
    with serving([*command, "--load_fast=false"], f"{url}/runs", tmp_path):
        wait_for(lambda: len(ask("/runs")) == 1 + 3 * len(chosen.runs))
        run = chosen.runs[0]
        name = file_name(run)
        curve = ask(f"/plugin/scalars/scalars?run={name}%2Ftest&tag=accuracy")
        assert curve[-1][1] == run.steps and curve[-1][2] == pytest.approx(run.result.test_accuracy)
        asked = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "colParams": [], "startIndex": 0}
        groups = ask("/plugin/hparams/session_groups", asked | {"sliceSize": 10})["sessionGroups"]
        assert {group["name"] for group in groups} == {file_name(run) for run in chosen.runs}
        [group] = [group for group in groups if group["name"] == name]
        assert group["hparams"]["learning_rate"] == 0.1 and group["hparams"]["optimizer"] == "sgd"
        shown = {(value["name"].get("group", ""), value["name"]["tag"]): value for value in group["metricValues"]}
        assert shown["test", "accuracy"]["value"] == pytest.approx(run.result.test_accuracy)
        assert shown["", "train_seconds"]["value"] == pytest.approx(run.result.train_seconds)
