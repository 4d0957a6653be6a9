"""A real MLflow server has the runs, and serves their models."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.browser import free_port

from export.conftest import serving
from fmnist.export import FORMATS, ExportError
from fmnist.export.chosen import file_name
from fmnist.models.registry import ARCHITECTURES


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a real one, and the folder where it keeps files."""
    for name in (*FORMATS["mlflow"].needs, "flask"):  # Its server is more than its client.
        pytest.importorskip(name)
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    without_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # Seven processes that nothing here needs.
    with serving(command, f"{url}/health", folder, **without_jobs):
        yield url, folder / "kept"


def test_an_mlflow_server_has_each_run_once_with_its_numbers(chosen, mlflow_server, tmp_path):
    log, (url, _) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    assert all(is_one_sentence(said) and "logged as run" in said for said in log(chosen, url, "ours"))
    assert all("logged before" in said and "now" not in said for said in log(chosen, url, "ours"))
    client = MlflowClient(tracking_uri=url)
    place = client.get_experiment_by_name("ours").experiment_id
    logged = {run.data.tags["fmnist.run"]: run for run in client.search_runs([place])}
    assert logged.keys() == {run.address for run in chosen.runs}
    for run in chosen.runs:
        entry = logged[run.address]
        assert entry.info.status == "FINISHED" and entry.info.run_name == run.name
        assert (entry.info.start_time, entry.info.end_time) == (
            round(1000 * run.started),
            round(1000 * run.finished),
        )
        assert entry.data.params["learning_rate"] == "0.1" and entry.data.params["seed"] == str(run.recipe.seed)
        assert entry.data.tags["fmnist.key"] == run.key
        assert entry.data.metrics["test_accuracy"] == run.result.test_accuracy
        assert entry.data.metrics["train_seconds"] == run.result.train_seconds
        for split in ("train", "test"):
            curve = chosen.library.history([run], split)
            points = client.get_metric_history(entry.info.run_id, f"{split}_loss")
            assert sorted((point.step, point.value) for point in points) == list(
                zip(curve["step"], curve["loss"], strict=True)
            )
        path = client.download_artifacts(entry.info.run_id, f"{file_name(run)}.safetensors", str(tmp_path))
        assert Path(path).read_bytes() == chosen.library.weights(run)
        [version] = client.search_model_versions(f"run_id = '{entry.info.run_id}'")
        assert version.name == f"sample-model-{run.recipe.model}"
        model = client.get_logged_model(version.source.removeprefix("models:/"))
        assert {metric.key: metric.value for metric in model.metrics}["test_accuracy"] == run.result.test_accuracy
    client.delete_experiment(place)
    with pytest.raises(
        ExportError, match=f"'ours' has been deleted there.*--experiment-id {place}.*--experiment"
    ) as gone:
        log(chosen, url, "ours")
    assert is_one_sentence(gone.value)


def test_what_mlflow_lacks_of_a_run_is_logged_later(chosen, without_data, mlflow_server, monkeypatch):
    log, (url, _) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    from fmnist.export import onnx_model

    def refuse(*_):
        raise ExportError("Model 0 can't be exported to ONNX: it is too clever.")

    only = replace(chosen, runs=chosen.runs[:1])
    with monkeypatch.context() as patch:
        patch.setattr(onnx_model, "_export", refuse)
        [said] = log(replace(without_data, runs=only.runs), url, "later")
    assert is_one_sentence(said) and re.search(
        "logged as run .* without its data set.* without its model: .*clever", said
    )
    client = MlflowClient(tracking_uri=url)
    place = client.get_experiment_by_name("later").experiment_id

    def found() -> tuple[Any, Any]:
        [run] = client.search_runs([place])
        [version] = client.search_model_versions(f"run_id = '{run.info.run_id}'")
        [model] = client.search_logged_models([place])
        assert version.source == f"models:/{model.model_id}" and len(run.inputs.dataset_inputs) == 1
        return version, run

    assert "logged before" in (said := log(only, url, "later")[0]) and "now with its model (sample-model-0" in said
    version, run = found()
    client.delete_model_version(version.name, version.version)  # As if it broke off before that.
    assert "now with its model" in log(only, url, "later")[0]
    version, _ = found()
    client.delete_model_version(version.name, version.version)
    client.delete_logged_model(version.source.removeprefix("models:/"))
    client.set_terminated(run.info.run_id, "FAILED")  # As if it broke off while the run was logged.
    assert "logged as run" in log(only, url, "later")[0]
    assert found()[1].info.run_id != run.info.run_id


def test_mlflow_lists_the_model_and_its_scoring_server_answers_as_predict(chosen, small_data, mlflow_server, tmp_path):
    log, (url, kept) = FORMATS["mlflow"].load(), mlflow_server
    from mlflow import MlflowClient

    from fmnist.predict import prediction

    [group] = [group for group in chosen.library.groups("sample") if group.recipe.model == "2"]
    log(replace(chosen, runs=group.runs), url, "served")
    client = MlflowClient(tracking_uri=url)
    [run] = client.search_runs([client.get_experiment_by_name("served").experiment_id])
    [version] = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    listed = {model.name: model for model in client.search_registered_models()}["sample-model-2"]
    assert listed.description.startswith(ARCHITECTURES["2"].name) and version.version
    [used] = run.inputs.dataset_inputs
    profile = json.loads(used.dataset.profile)
    assert used.dataset.name == "Sample data" and "fmnist.data.sample" in used.dataset.source
    assert profile["sha256"] == small_data.fingerprint and profile["sha256"].startswith(used.dataset.digest)
    assert (profile["training_images"], profile["test_images"]) == (
        len(small_data.train_images),
        len(small_data.test_images),
    )
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".md", ".onnx", ".json", ".yaml", ".txt", ""}
    assert {path.name for path in files if not path.suffix} == {"MLmodel"}  # Nothing pickled.

    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "mlflow.pyfunc.scoring_server.app:app"]
    with serving(
        command,
        f"http://127.0.0.1:{port}/health",
        tmp_path,
        __pyfunc_model_path__=f"models:/{version.name}/{version.version}",
        MLFLOW_TRACKING_URI=url,
    ):

        def ask(request: bytes) -> np.ndarray:
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations", request, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return np.array(json.load(answer)["predictions"]["probabilities"])

        images = small_data.test_images[:20]
        [ours] = prediction.probabilities(chosen.library, group, images)
        theirs = ask(json.dumps({"inputs": (images[:, None] / 255).tolist()}).encode())
        assert theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=0, atol=1e-5)
        [example] = kept.rglob(f"{version.source.removeprefix('models:/')}/**/serving_input_example.json")
        assert np.allclose(ask(example.read_bytes()), ours[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:9", "nonsense://there"])
def test_a_tracking_uri_that_takes_nothing_is_said_in_a_sentence(uri, chosen, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ExportError) as refused:
        FORMATS["mlflow"].load()(chosen, uri, "ours")
    assert is_one_sentence(refused.value) and "secret" not in str(refused.value)
