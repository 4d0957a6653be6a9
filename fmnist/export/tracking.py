"""MLflow: runs logged through its client into whatever a tracking URI names."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param, RunStatus
from mlflow.exceptions import MlflowException

from fmnist.export import ExportError, weights
from fmnist.export.chosen import Chosen, dataset_title
from fmnist.models.registry import ARCHITECTURES
from fmnist.store import checksums
from fmnist.store.run import TIMES, Run
from fmnist.words import reason

IDENTITY = "fmnist.identity"
"""The tag with the sum over all of a run, by which one that was logged before is found."""
MAX_METRICS = 1000
"""That MLflow takes at once (MLflow REST API, "Log Batch")."""


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
    with _explained(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri)
        found = client.get_experiment_by_name(experiment)
        if found and found.lifecycle_stage == LifecycleStage.DELETED:
            raise ExportError(
                f"MLflow's experiment {experiment!r} has been deleted there: restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}), or name another one with --experiment."
            )
        place = found.experiment_id if found else client.create_experiment(experiment)
        return [_log_once(client, place, chosen, run) for run in chosen.runs]


def _log_once(client: MlflowClient, experiment: str, chosen: Chosen, run: Run) -> str:
    contents, _ = chosen.library.stores[run.source].contents(run.id)
    identity = checksums.identity(contents)
    for earlier in client.search_runs([experiment], f"tags.`{IDENTITY}` = '{identity}'"):
        if earlier.info.status == RunStatus.to_string(RunStatus.FINISHED):
            return f"{run.name}: logged before, as run {earlier.info.run_id}."
        client.delete_run(earlier.info.run_id)  # It broke off.
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
    return f"{run.name}: logged as run {logged}."


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
def _explained(tracking_uri: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError, ImportError) as error:
        why = reason(error, 300).partition(". ")[0]
        if "Max retries exceeded" in why or "Connection" in why:
            why = "nothing answers there"
        raise ExportError(f"MLflow can't log to {shown(tracking_uri)}: {shown(why)}.") from None
