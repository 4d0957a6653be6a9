"""A worker as a real process, told what to do as the trainer does it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fmnist.data import examples
from fmnist.data.files import DataMissing, Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.answers import Answers
from fmnist.store.arrays import unpack
from fmnist.store.run import Start
from fmnist.training import worker
from fmnist.training.messages import EndReport, Order, Prepare, ProgressReport, Stop
from fmnist.training.worker_handle import workers

SHORT = Recipe("0", epochs=2, dataset="sample", device="cpu")
ENDLESS = Recipe("0", epochs=1000, batch_size=1, dataset="sample", device="cpu")


@pytest.fixture
def at_work() -> Iterator[Connection]:
    """The trainer's end of the connection to a worker."""
    ours, theirs = multiprocessing.Pipe()
    process = workers().Process(target=worker.serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    yield ours
    ours.close()
    process.join(60)
    assert process.exitcode == 0, "a worker ends by itself when the trainer is gone"


def order(run: int, recipe: Recipe, folder: Path) -> Order:
    return Order(run, recipe, ARCHITECTURES[recipe.model], folder, folder, None, 1, None, folder / "log")


def end_of(run: int, connection: Connection) -> str:
    """How the run that is being trained ends. Nothing is reported of another one before."""
    while True:
        assert connection.poll(120), f"run {run} does not end"
        id, report = connection.recv()
        assert id == run
        if isinstance(report, EndReport):
            return report.status


def test_only_a_wish_to_stop_this_run_stops_it(at_work: Connection, small_sample: Dataset, runs_path: Path) -> None:
    folder = runs_path.parent
    # All of it waits before the first look for a wish to stop.
    at_work.send(order(1, SHORT, folder))
    at_work.send(Prepare("sample", folder, folder))
    at_work.send(order(2, SHORT, folder))
    at_work.send(Stop(7))
    assert end_of(1, at_work) == "done"
    assert end_of(2, at_work) == "done"


def test_a_run_that_is_no_longer_wanted_is_stopped_and_the_next_one_trained(
    at_work: Connection, small_sample: Dataset, runs_path: Path
) -> None:
    folder = runs_path.parent
    at_work.send(order(1, ENDLESS, folder))
    at_work.send(order(2, SHORT, folder))
    at_work.send(Stop(1))
    assert end_of(1, at_work) == "cancelled"
    assert end_of(2, at_work) == "done"


def test_a_wish_to_stop_what_has_ended_stops_nothing_later(
    at_work: Connection, small_sample: Dataset, runs_path: Path
) -> None:
    folder = runs_path.parent
    at_work.send(order(1, SHORT, folder))
    assert end_of(1, at_work) == "done"
    at_work.send(Stop(1))
    at_work.send(order(1, SHORT, folder))  # It was queued again.
    assert end_of(1, at_work) == "done"


def test_answers_to_a_dozen_images_are_told_on_the_way_and_not_at_the_end(
    small_sample: Dataset, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.0)
    reports = list(worker.follow(order(1, SHORT, runs_path.parent), lambda: small_sample, stopped=lambda: False))
    told = [report.artifacts for report in reports if isinstance(report, ProgressReport)]
    first = Answers.from_bytes(told[0]["answers"])
    assert first and first.step == 1 and list(first.images) == examples.watched(small_sample)
    [[answers, predictions]] = [
        [Answers.from_bytes(artifacts["answers"]), unpack(artifacts["predictions/1"])]
        for artifacts in told
        if "predictions/1" in artifacts
    ]
    assert answers and answers.classes == tuple(predictions[list(answers.images)])
    assert isinstance(reports[-1], EndReport) and "answers" not in reports[-1].artifacts


@pytest.mark.parametrize("damaged", [b"\0\1\2\3\4\5\6\7\x08", "text", 5, "cut off", "of nothing"])
def test_a_run_whose_checkpoint_is_damaged_starts_again(damaged, small_data: Dataset, runs_path: Path, monkeypatch):
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0)  # All is told at once.
    asked = order(1, SHORT, runs_path.parent)
    reports = list(worker.follow(asked, lambda: small_data, lambda: False))
    told = [report.artifacts for report in reports if isinstance(report, ProgressReport)]
    saved = next(artifacts["checkpoint"] for artifacts in told if "checkpoint" in artifacts)
    if damaged == "cut off":
        damaged = saved[: len(saved) // 2]
    if damaged == "of nothing":
        damaged = b"\2\0\0\0\0\0\0\0{}"
    first, *_, end = worker.follow(replace(asked, checkpoint=damaged), lambda: small_data, lambda: False)
    assert isinstance(first, Start) and first.step == 0 and end.status == "done"


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("missing", ["data", "device"])
def test_a_run_that_can_not_go_on_here_is_interrupted_and_keeps_its_checkpoint(
    missing, begun, small_data: Dataset, runs_path: Path, monkeypatch
):
    asked = replace(order(1, SHORT, runs_path.parent), checkpoint=b"of an earlier epoch" if begun else None)

    def load() -> Dataset:
        if missing == "data":
            raise DataMissing("The data are gone.")
        return small_data

    if missing == "device":
        asked = replace(asked, recipe=replace(SHORT, device="cuda"))
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    [end] = worker.follow(asked, load, lambda: False)
    assert end.status == ("interrupted" if begun else "failed") and end.error


def test_a_run_that_went_on_and_failed_then_has_failed(small_data: Dataset, runs_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0)
    runaway = replace(SHORT, model="2", learning_rate=100.0, epochs=3)
    asked = replace(order(1, runaway, runs_path.parent), checkpoint=b"damaged: it starts again")
    *_, end = worker.follow(asked, lambda: small_data, lambda: False)
    assert end.status == "failed" and "lower learning rate" in end.error
