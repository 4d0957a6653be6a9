"""TensorBoard: event files with the curves and hyperparameters of each run, written without torch or TensorFlow.

<folder>/                       the experiment: which hyperparameters and metrics there are
<folder>/<run>/                 the run's hyperparameters (a "session" of the HPARAMS tab), and its times
<folder>/<run>/train, .../test  its curves, under the same tags: TensorBoard draws both in one chart. Where images are
                                held out, what is measured on them is in .../validation, and .../test has one point
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.summary.writer.record_writer import RecordWriter

from fmnist.export.chosen import Chosen, file_name
from fmnist.store.run import Run

VERSION = "brain.Event:2"  # Of the file format, in each file's first event.
CURVES = ("accuracy", "loss")
TIMES = ("train_seconds", "eval_seconds", "image_seconds")


def write(chosen: Chosen, folder: Path) -> list[str]:
    """Event files whose names depend on the run alone, so that writing them again does not double a curve."""
    history = chosen.library.history(chosen.runs)
    _write(folder, min(run.created for run in chosen.runs), [_experiment(chosen.runs)])
    for run in chosen.runs:
        place = folder / file_name(run)
        _write(place, run.created, _session(run))
        curves = history[history["run"] == run.address]
        for split in splits([run]):
            _write(place / split, run.created, _curves(run, curves[curves["split"] == split]))
    return []


def splits(runs: Sequence[Run]) -> list[str]:
    """On which images some runs were measured."""
    return sorted({"train", "test", *(run.recipe.evaluated_on for run in runs)})


def hyperparameters(run: Run) -> dict[str, str | float | bool]:
    """The recipe; numbers as numbers. `device` is where the run really was."""
    return vars(run.recipe) | {"device": run.where}


def _write(folder: Path, created: float, events: Iterator[Event] | Sequence[Event]) -> None:
    """One event file. TensorBoard finds it by "tfevents" in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"events.out.tfevents.{created:010.0f}.fmnist").open("wb") as file:
        records = RecordWriter(file)
        for event in (Event(wall_time=created, file_version=VERSION), *events):
            records.write(event.SerializeToString())


def _experiment(runs: Sequence[Run]) -> Event:
    kinds = {
        str: api_pb2.DATA_TYPE_STRING,
        int: api_pb2.DATA_TYPE_FLOAT64,
        float: api_pb2.DATA_TYPE_FLOAT64,
        bool: api_pb2.DATA_TYPE_BOOL,
    }
    # What the HPARAMS tab shows of a run: the folder below the run's, and the tag.
    metrics = [(split, tag) for split in splits(runs) for tag in CURVES] + [("", tag) for tag in TIMES]
    experiment = api_pb2.Experiment(
        time_created_secs=min(run.created for run in runs),
        hparam_infos=[
            api_pb2.HParamInfo(name=name, type=kinds[type(value)]) for name, value in hyperparameters(runs[0]).items()
        ],
        metric_infos=[
            api_pb2.MetricInfo(
                name=api_pb2.MetricName(group=group, tag=tag), display_name=f"{group} {tag}".strip().replace("_", " ")
            )
            for group, tag in metrics
        ],
    )
    return _hparams(metadata.EXPERIMENT_TAG, HParamsPluginData(experiment=experiment), experiment.time_created_secs)


def _session(run: Run) -> Iterator[Event]:
    began, ended = run.started or run.created, run.finished or run.created
    start = SessionStartInfo(group_name=file_name(run), start_time_secs=began)
    for name, value in hyperparameters(run).items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    end = SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=ended)
    yield _hparams(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start), began)
    for tag in TIMES:
        yield _scalar(tag, getattr(run.finished_result, tag), run.steps or 0, ended)
    yield _hparams(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end), ended)


def _curves(run: Run, points: pd.DataFrame) -> Iterator[Event]:
    """The store keeps the seconds of training up to a point; what lay between is added to none."""
    began = run.started or run.created
    for point in points.itertuples():
        for tag in CURVES:
            yield _scalar(tag, getattr(point, tag), point.step, began + point.seconds)


def _scalar(tag: str, value: float, step: int, wall_time: float) -> Event:
    return Event(wall_time=wall_time, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def _hparams(tag: str, content: HParamsPluginData, wall_time: float) -> Event:
    value = Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR)
    return Event(wall_time=wall_time, summary=Summary(value=[value]))
