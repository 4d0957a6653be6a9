"""MLflow's models: the ONNX export of a run, logged with it and registered, so that MLflow can serve it. Imports torch.

Nothing of it is pickled: it is the ONNX file with a description (the "onnx" flavour), and onnxruntime answers.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import mlflow.onnx
import numpy as np
import onnx
import onnxruntime
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.entities import Run as Logged
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from fmnist.export import onnx_model
from fmnist.export.chosen import Chosen, classes, dataset_title, file_name
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.run import Run

INPUT, LOGITS, PROBABILITIES = "images", "logits", "probabilities"


def registered_name(run: Run) -> str:
    """Under which MLflow lists it; each run is a version: "fashion-mnist-model-2"."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{run.recipe.dataset}-model-{run.recipe.model}")


def add(client: MlflowClient, logged: Logged, chosen: Chosen, run: Run) -> tuple[str, bool]:
    """Log and register the model of a run that MLflow has; not again where it is registered.

    What is left of an attempt that broke off is deleted.

    Returns:
        Its version, such as "fashion-mnist-model-2, version 3", and whether it is new.

    Raises:
        ExportError: the model can't be exported to ONNX.
        MlflowException: MLflow does not take it.
    """
    id, experiment = logged.info.run_id, logged.info.experiment_id
    if versions := client.search_model_versions(f"run_id = '{id}'"):
        return _title(versions[0]), False
    for broken in client.search_logged_models([experiment], f"source_run_id = '{id}'"):
        client.delete_logged_model(broken.model_id)
    with tempfile.TemporaryDirectory() as folder:
        onnx_model.write(replace(chosen, runs=(run,)), Path(folder))
        network = onnx.load(Path(folder) / f"{file_name(run)}.onnx")
        _answer_with_probabilities(network)
        name = f"model-{run.recipe.model}-seed-{run.recipe.seed}"
        model = client.create_logged_model(experiment, re.sub(r"[^A-Za-z0-9]+", "-", name), id, model_type="classifier")
        described = Model(run_id=id, model_id=model.model_id, artifact_path=model.artifact_location)
        place = str(Path(folder) / "mlflow")
        _save(network, described, place, chosen, run)
        client.log_model_artifacts(model.model_id, place)
    _link(client, logged, model.model_id, run)
    return _title(_register(client, id, model.model_id, run)), True


def _answer_with_probabilities(network: onnx.ModelProto) -> None:
    """Add their softmax to the logits, so that who asks gets what Predict shows."""
    [logits] = network.graph.output
    network.graph.node.append(onnx.helper.make_node("Softmax", [LOGITS], [PROBABILITIES], axis=-1))
    probabilities = onnx.ValueInfoProto()
    probabilities.CopyFrom(logits)
    probabilities.name = PROBABILITIES
    network.graph.output.append(probabilities)
    onnx.checker.check_model(network, full_check=True)


def _save(network: onnx.ModelProto, described: Model, place: str, chosen: Chosen, run: Run) -> None:
    images = TensorSpec(np.dtype(np.float32), (-1, 1, 28, 28), INPUT)
    logits, probabilities = (
        TensorSpec(np.dtype(np.float32), (-1, len(classes(run))), name) for name in (LOGITS, PROBABILITIES)
    )
    mlflow.onnx.save_model(
        network,
        place,
        mlflow_model=described,
        signature=ModelSignature(Schema([images]), Schema([logits, probabilities])),
        input_example={INPUT: inference.as_input(onnx_model.images_to_check(chosen, run)[:1]).numpy()},
        # Otherwise it would be found out by running it once more, in another process.
        pip_requirements=[f"onnx=={onnx.__version__}", f"onnxruntime=={onnxruntime.__version__}"],
        onnx_execution_providers=["CPUExecutionProvider"],
        metadata={"classes": list(classes(run)), "run": run.address, "key": run.key},
        save_as_external_data=False,
    )


def _link(client: MlflowClient, logged: Logged, model: str, run: Run) -> None:
    """Have MLflow show a model with its run, and the run's accuracy with the model."""
    client.log_outputs(logged.info.run_id, [LoggedModelOutput(model, step=0)])
    for figure in (f"{run.recipe.evaluated_on}_accuracy", f"{run.recipe.evaluated_on}_loss"):
        last = client.get_metric_history(logged.info.run_id, figure)[-1]
        client.log_batch(logged.info.run_id, [Metric(figure, last.value, last.timestamp, last.step, model_id=model)])
    client.finalize_logged_model(model, LoggedModelStatus.READY)


def _register(client: MlflowClient, logged: str, model: str, run: Run) -> ModelVersion:
    architecture, name = ARCHITECTURES[run.recipe.model], registered_name(run)
    try:
        client.create_registered_model(
            name, description=f"{architecture.name} on {dataset_title(run)}: {architecture.layers}"
        )
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    version = client.create_model_version(
        name,
        f"models:/{model}",
        logged,
        tags={
            "fmnist.run": run.address,
            f"{run.recipe.evaluated_on}_accuracy": repr(run.finished_result.accuracy_to_choose_by),
        },
        description=f"{run.recipe.describe()}, seed {run.recipe.seed}",
        model_id=model,
    )
    # By this MLflow names the version beside the model, as its own `register_model` has it do.
    with suppress(MlflowException):
        shown = json.dumps([{"name": name, "version": version.version}])
        client.set_logged_model_tags(model, {MLFLOW_MODEL_VERSIONS: shown})
    return version


def _title(version: ModelVersion) -> str:
    return f"{version.name}, version {version.version}"
