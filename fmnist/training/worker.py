"""A worker: a process that trains the runs that the scheduler hands to it, one after the other.

It never sees the store. `follow` turns the events of a training into what is to be written down, and the scheduler
writes it: so runs can be trained side by side, anywhere, with one writer. `fmnist.training.ray_cluster` takes the same
orders and gives the same reports.

torch is imported when the first run comes, or when the scheduler says that one may come soon.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fmnist.data import examples, files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store import answers
from fmnist.store.arrays import pack
from fmnist.store.artifacts import HELD_OUT_LABELS, HELD_OUT_LOGITS, predictions_name
from fmnist.store.run import Point, Start, Status
from fmnist.training.estimate import image_passes
from fmnist.training.hardware import machine, versions
from fmnist.training.messages import EndReport, Message, Order, Prepare, ProgressReport, Report, Stop
from fmnist.words import LOG_LINE, LOG_TIME, reason

if TYPE_CHECKING:
    from fmnist.training.checkpoint import Checkpoint
    from fmnist.training.events import Finished

REPORT_SECONDS = 0.2  # Between two reports of a run, which are also the looks for a wish to stop.

log = logging.getLogger("fmnist.training.worker")


class Inbox:
    """What the scheduler has said and is not done yet, in its order."""

    def __init__(self, scheduler: Connection) -> None:
        self._scheduler = scheduler
        self._waiting: deque[Message] = deque()

    def next(self) -> Message:
        """The next message; waits for it.

        Raises:
            EOFError, OSError: the scheduler is gone.
        """
        return self._waiting.popleft() if self._waiting else self._scheduler.recv()

    def is_empty(self) -> bool:
        """Whether nothing is to be done at the moment."""
        return not self._waiting and not self._scheduler.poll()

    def is_stopped(self, run: int) -> bool:
        """Whether the run that is being trained is no longer wanted. All other messages wait until it has ended."""
        try:
            while self._scheduler.poll():
                self._waiting.append(self._scheduler.recv())
        except (EOFError, OSError):  # Nobody is there any more who would write anything down.
            return True
        return Stop(run) in self._waiting


def serve(scheduler: Connection) -> None:
    """Do what the scheduler says until it is gone."""
    logging.basicConfig(level=logging.INFO, format=LOG_LINE, datefmt=LOG_TIME)
    inbox = Inbox(scheduler)
    # The scheduler has ended, however it did: nobody would write anything down.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        while True:
            match inbox.next():
                case Prepare() as wanted:
                    importlib.import_module("fmnist.training.preload")  # A forked worker has it already.
                    with suppress(files.DataError):  # Whoever asks for a run is told.
                        training = _load_training()
                        training.prepare(_dataset(wanted.dataset, wanted.data_root, wanted.cache))
                        if inbox.is_empty():  # A run that waits may not need them.
                            training.load_kernels()
                case Order() as order:
                    for report in follow(order, lambda: dataset(order), stopped=lambda: inbox.is_stopped(order.run)):
                        scheduler.send((order.run, report))
                case Stop():
                    pass  # The run had ended in the meantime.


def follow(order: Order, load: Callable[[], files.Dataset], stopped: Callable[[], bool]) -> Iterator[Report]:
    """Train, and say a few times a second what is to be written down; at last an `EndReport`, whatever happens.

    Args:
        load: gives the data; may raise `DataError`.
        stopped: whether the run is no longer wanted; asked after each report.
    """
    status = order.unless_begun
    try:
        for report in _follow(order, load, stopped):
            if isinstance(report, ProgressReport):
                status = Status.FAILED
            yield report
    except files.DataError as error:
        yield EndReport(status, str(error))
    except Exception as error:
        training = sys.modules.get("fmnist.training.loop")
        if training and isinstance(error, training.TrainingError):
            if error.__cause__:  # Of a model of the user's own: the log shows where in its code.
                log.info("%s", order.recipe, exc_info=error.__cause__)
            yield EndReport(status, str(error))
        else:  # A bug. The log has its traceback, the page a sentence, and the queue goes on.
            log.exception("%s", order.recipe)
            sentence = f"Training ended because of an error in this program; the details are in {order.log}."
            yield EndReport(status, sentence)


def _follow(order: Order, load: Callable[[], files.Dataset], stopped: Callable[[], bool]) -> Iterator[Report]:
    ARCHITECTURES[order.recipe.model] = order.architecture
    training = _load_training()
    from fmnist.training.checkpoint import save_checkpoint

    dataset = load()
    # Of the test images a run with held-out images sees nothing before its end.
    watched = () if order.recipe.validation else tuple(examples.watched(dataset))
    split = order.recipe.evaluated_on
    checkpoint = _checkpoint(order)
    points: list[Point] = []
    artifacts: dict[str, bytes] = {}
    began, done, steps, reported = time.monotonic(), 0.0, 0, 0.0  # The first points are told at once: they are awaited.
    for event in training.train(order.recipe, dataset, checkpoint, order.threads, order.compiled, watched):
        match event:
            case training.Started():
                began, steps = time.monotonic(), event.steps
                done = image_passes(order.recipe, event.step, steps)
                told = {name: value for name, value in vars(event).items() if name != "compiled"}
                yield Start(**told, machine=machine(), versions=versions(event.compiled))
                continue
            case training.Progress():
                points.append(Point("train", event.step, event.epoch, event.train_seconds, event.loss, event.accuracy))
                if event.answers is not None:
                    artifacts[answers.NAME] = _answers(event.step, watched, event.answers)
            case training.EpochEnd():
                points.append(Point(split, event.step, event.epoch, event.train_seconds, event.loss, event.accuracy))
                artifacts["checkpoint"] = save_checkpoint(event.checkpoint)
                artifacts[predictions_name(split, event.epoch)] = pack(event.predictions)
                if watched:
                    artifacts[answers.NAME] = _answers(event.step, watched, event.predictions[list(watched)])
            case training.Finished():
                yield _end(event, order.recipe, steps, points, artifacts)
                return
        if time.monotonic() - reported >= REPORT_SECONDS:
            rate = (image_passes(order.recipe, event.step, steps) - done) / (time.monotonic() - began)
            yield ProgressReport(points, rate, artifacts)
            points, artifacts, reported = [], {}, time.monotonic()
            if stopped():
                yield EndReport(Status.CANCELLED)
                return


def _checkpoint(order: Order) -> Checkpoint | None:
    """From where the run goes on; None for the beginning, also where its checkpoint is damaged."""
    from fmnist.training.checkpoint import load_checkpoint

    if order.checkpoint:
        try:
            return load_checkpoint(order.checkpoint)
        except Exception as error:  # What is raised for damaged bytes is not settled.
            log.info("run %d: its checkpoint is damaged (%s); it starts again", order.run, reason(error))
    return None


def _end(event: Finished, recipe: Recipe, steps: int, points: list[Point], artifacts: dict[str, bytes]) -> EndReport:
    from safetensors.torch import save

    predicted = {predictions_name("test", recipe.epochs): pack(event.predictions)}
    artifacts = artifacts | {"weights": save(event.weights), "logits": pack(event.logits)} | predicted
    if kept := event.held_out:
        result = event.result
        figures = result.train_seconds, result.test_loss, result.test_accuracy
        points = [*points, Point("test", steps, recipe.epochs, *figures)]
        artifacts |= {
            HELD_OUT_LOGITS: pack(kept.logits),
            HELD_OUT_LABELS: pack(kept.labels),
            predictions_name("validation", result.kept_epoch or recipe.epochs): pack(kept.predictions),
        }
    for name in ("checkpoint", answers.NAME):
        artifacts.pop(name, None)
    return EndReport(Status.DONE, points=points, result=event.result, artifacts=artifacts)


def _answers(step: int, watched: tuple[int, ...], classes: np.ndarray) -> bytes:
    return answers.Answers(step, watched, tuple(classes.tolist())).to_bytes()


def _load_training() -> ModuleType:
    try:
        return importlib.import_module("fmnist.training.loop")
    except (ImportError, OSError, RuntimeError) as error:
        # What a torch raises that does not fit its libraries, its Python or the machine.
        raise files.DataError(
            f"PyTorch can't be loaded ({reason(error)}): install it again with pip install -r requirements.txt."
        ) from error


def dataset(order: Order) -> files.Dataset:
    """What an order is to be trained on, from the files here; kept for the next one.

    Raises:
        DataError: as `files.load`.
    """
    return _dataset(order.recipe.dataset, order.data_root, order.cache)


@lru_cache(maxsize=2)
def _dataset(name: str, root: Path, cache: Path) -> files.Dataset:
    return files.load(name, root, cache)
