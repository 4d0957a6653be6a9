"""MLflow: runs logged through its client into whatever a tracking URI names."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Metric, Param, RunStatus
from mlflow.entities import Run as Logged
from mlflow.exceptions import MlflowException

from fmnist.export import ExportError, mlflow_model, weights
from fmnist.export.chosen import Chosen, classes, dataset_title
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.store import checksums
from fmnist.store.run import TIMES, Run
from fmnist.words import reason

IDENTITY = "fmnist.identity"
"""The tag with the sum over all of a run, by which one that was logged before is found."""
MAX_METRICS = 1000
"""That MLflow takes at once (MLflow REST API, "Log Batch")."""
MAX_DIGEST = 36
"""Characters that MLflow's databases have for a data set's checksum; all 64 stand in its profile."""


def log(chosen: Chosen, tracking_uri: str, experiment: str) -> list[str]:
    """Log each run that the experiment does not have yet.

    Args:
        tracking_uri: as MLflow takes it: http(s)://..., sqlite:///..., databricks ...
        experiment: its name; made if it is not there.

    Returns:
        A sentence for each run: logged, or there already.

    Raises:
        ExportError: it can't be reached, takes no runs, or has deleted the experiment; a run that broke off is taken
            back.
    """
    for noisy in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with _connected(tracking_uri):
        client = MlflowClient()
        found = client.get_experiment_by_name(experiment)
        if found and found.lifecycle_stage == LifecycleStage.DELETED:
            raise ExportError(
                f"MLflow's experiment {experiment!r} has been deleted there: restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}), or name another one with --experiment."
            )
        place = found.experiment_id if found else client.create_experiment(experiment)
        return [_log_once(client, place, chosen, run) for run in chosen.runs]


def _log_once(client: MlflowClient, experiment: str, chosen: Chosen, run: Run) -> str:
    """Log what MLflow does not have of a run, and say so: an earlier version logged neither data set nor model."""
    contents, _ = chosen.library.stores[run.source].contents(run.id)
    identity = checksums.identity(contents)
    logged, before = None, False
    for earlier in client.search_runs([experiment], f"tags.`{IDENTITY}` = '{identity}'"):
        if earlier.info.status == RunStatus.to_string(RunStatus.FINISHED):
            logged, before = earlier, True
        else:  # It broke off.
            client.delete_run(earlier.info.run_id)
    logged = logged or _log_run(client, experiment, chosen, run, identity)
    lacks = (
        []
        if _add_data(client, logged, chosen, run)
        else ["without its data set (those that its key names are not at hand)"]
    )
    try:
        version, is_new = mlflow_model.add(client, logged, chosen, run)
    except (ExportError, ModelError, MlflowException) as error:  # The rest is worth having.
        version, is_new = "", False
        lacks.append(f"without its model: {_why(error)}")
    said = f"{run.name}: logged {'before, ' if before else ''}as run {logged.info.run_id}"
    if version:
        said += f"{', now' if before and is_new else ''} with its model ({version})"
    return f"{said}{', but ' if lacks else ''}{', and '.join(lacks)}."


def _log_run(client: MlflowClient, experiment: str, chosen: Chosen, run: Run, identity: str) -> Logged:
    """A run with everything but its data set and its model."""
    tags = _tags(run) | {IDENTITY: identity}
    began = run.started or run.created
    logged = client.create_run(experiment, _milliseconds(began), tags, run.name).info.run_id
    try:
        _log(client, logged, chosen, run)
    except BaseException:
        with suppress(MlflowException, OSError):
            client.delete_run(logged)
        raise
    client.set_terminated(logged, end_time=_milliseconds(run.finished or began))
    return client.get_run(logged)


def _add_data(client: MlflowClient, logged: Logged, chosen: Chosen, run: Run) -> bool:
    """Log the data set as the input of a run, once; whether MLflow has it then."""
    if logged.inputs and logged.inputs.dataset_inputs:
        return True
    data = chosen.data(run)
    if data is None or run.recipe.key(data.fingerprint) != run.key:
        return False
    training, held_out, test = len(data.train_images), run.recipe.validation, len(data.test_images)
    made_by = f"torchvision.datasets.{data.info.torchvision}" if data.info.torchvision else "fmnist.data.sample"
    dataset = from_numpy(
        data.train_images,
        CodeDatasetSource({"mlflow.source.name": made_by}),
        targets=data.train_labels,
        name=dataset_title(run),
        digest=data.fingerprint[:MAX_DIGEST],
    )
    described = dataset.to_dict()
    profile = {
        "num_rows": training + test,
        "training_images": training,
        "test_images": test,
        "classes": len(classes(run)),
        "sha256": data.fingerprint,
    }
    uses = {
        "mlflow.data.context": "training",
        "fmnist.trained_on": training - held_out,
        "fmnist.held_out": held_out,
        "fmnist.tested_on": test,
    }
    tags = [InputTag(name, str(value)) for name, value in uses.items()]
    client.log_inputs(logged.info.run_id, [DatasetInput(Dataset(**described | {"profile": json.dumps(profile)}), tags)])
    return True


def _log(client: MlflowClient, logged: str, chosen: Chosen, run: Run) -> None:
    recipe = vars(run.recipe) | {"device": run.where, "threads": run.threads, "parameters": run.parameters}
    params = [Param(name, str(value)) for name, value in recipe.items()]
    client.log_batch(logged, params=params)
    metrics = list(_metrics(chosen, run))
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(logged, metrics=metrics[start : start + MAX_METRICS])
    with tempfile.TemporaryDirectory() as folder:
        weights.write(replace(chosen, runs=(run,)), Path(folder))
        client.log_artifacts(logged, folder)


def _metrics(chosen: Chosen, run: Run) -> Iterator[Metric]:
    """The curves as train_loss, test_accuracy ... by step, and the times of the result at the last one."""
    began = run.started or run.created
    for point in chosen.library.history([run]).itertuples():
        for figure in ("loss", "accuracy"):
            yield Metric(
                f"{point.split}_{figure}", getattr(point, figure), _milliseconds(began + point.seconds), point.step
            )
    for name in TIMES:
        if (seconds := getattr(run.finished_result, name)) is not None:
            yield Metric(name, seconds, _milliseconds(run.finished or began), run.steps or 0)


def _tags(run: Run) -> dict[str, str]:
    described = {
        "mlflow.source.name": "fmnist",
        "mlflow.note.content": f"{ARCHITECTURES[run.recipe.model].name} on {dataset_title(run)}: "
        f"{run.recipe.describe()}, seed {run.recipe.seed}.",
        "fmnist.run": run.address,
        "fmnist.source": run.source,
        "fmnist.key": run.key,
        "fmnist.device": run.where,
        "fmnist.machine": run.machine or "",
        "fmnist.remarks": run.trouble,
    }
    return described | {f"fmnist.version.{name}": version for name, version in run.versions.items()}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def shown(tracking_uri: str) -> str:
    """A tracking URI without the password that may be in it."""
    return re.sub(r"//[^/@]*@", "//", tracking_uri)


@contextmanager
def _connected(tracking_uri: str) -> Iterator[None]:
    try:
        mlflow.set_tracking_uri(tracking_uri)  # Not the client's alone: registering a model asks for it by itself.
        yield
    except (MlflowException, OSError, ImportError) as error:
        raise ExportError(f"MLflow can't log to {shown(tracking_uri)}: {_why(error)}.") from None


def _why(error: BaseException) -> str:
    """For the end of a sentence."""
    why = reason(error, 300).partition(". ")[0]
    if "Max retries exceeded" in why or "Connection" in why:
        why = "nothing answers there"
    return shown(why)
