"""The trainer: a process of its own that takes queued runs from the store and trains them.

`python -m fmnist.trainer` lives on when the dashboard's server ends, and ends by itself when there has been
nothing to do for a while. For as long as it lives it holds a file lock: so there is never a second
one, and everybody notices at once when it is gone, however it went.

This module imports torch only inside the trainer process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from fmnist import data, store
from fmnist.store import Point, Run, Store, StoreError

if TYPE_CHECKING:
    from fmnist import training

WRITE_SECONDS = 0.2  # Between two writes to the store, which are also the looks for a wish to stop.
POLL_SECONDS = 0.1  # Between two looks into an empty queue.
IDLE_SECONDS = 300.0

log = logging.getLogger("fmnist.trainer")


# --- Seen from outside: pages and the command line ---


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".trainer.lock"))


def log_path(path: Path) -> Path:
    """Where a trainer writes what happens to it."""
    return path.with_name(path.name + ".trainer.log")


@contextmanager
def _held(lock: FileLock, timeout: float = 0) -> Iterator[bool]:
    """Hold the lock if it can be had; tell whether."""
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise StoreError(
            f"{Path(lock.lock_file).parent} can't be written ({error.strerror or error}): "
            "nothing can be trained there. Choose another place with FMNIST_RUNS."
        ) from error
    try:
        yield True
    finally:
        lock.release()


def is_alive(runs: Store) -> bool:
    """Whether a trainer works on this store. If not, runs that it left behind are marked as interrupted."""
    with _held(_lock(runs.path)) as free:
        if free and runs.runs("running"):
            runs.interrupt_running()
    return not free


def start(runs: Store) -> None:
    """Start a trainer for this store, if none is alive. Returns at once; a second one ends by itself.

    Raises:
        StoreError: the folder of the store can't be written.
    """
    if is_alive(runs):
        return
    command = [sys.executable, "-u", "-m", "fmnist.trainer", "--runs", str(runs.path)]
    try:
        with log_path(runs.path).open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data.PROJECT,
                start_new_session=True,  # Ctrl-C and the end of the server must not reach it.
            )
    except OSError as error:
        raise StoreError(f"The trainer can't be started ({error.strerror or error}).") from error
    # Somebody has to take note of its end, else it stays in the process table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()


def last_words(path: Path) -> str:
    """The last line of the trainer's log, for a page that has to say why there is none."""
    try:
        lines = log_path(path).read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


# --- The process ---


class Trainer:
    """Takes runs from the queue, one after the other."""

    def __init__(self, runs: Store) -> None:
        self.runs = runs
        self._datasets: dict[tuple[str, Path], data.Dataset] = {}
        self._prepared = False

    def work(self, idle_seconds: float) -> None:
        """Train what is queued; return when nothing was for `idle_seconds`."""
        idle_since = time.monotonic()
        while True:
            if run := self.runs.claim():
                self.train(run)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= idle_seconds:
                return
            elif not self._prepared:
                self._prepare()
            else:
                time.sleep(POLL_SECONDS)

    def _prepare(self) -> None:
        """Load what the next run will need, while nobody waits for it: seconds of torch, half a second of images."""
        self._prepared = True
        with suppress(data.DataError):  # Whoever asks for a run is told.
            _load_training().prepare(self._dataset("fashion-mnist", self.runs.data_root()))

    def train(self, run: Run) -> None:
        """Train one claimed run to whatever end it comes to.

        Raises:
            StoreError: nothing can be written any more; the run can be taken up again from its last saved epoch.
        """
        log.info("run %d: %s, %s", run.id, run.name, run.recipe.describe())
        try:
            self._follow(run, _load_training())
        except data.DataError as error:
            self._fail(run, str(error))
        except StoreError as error:
            self._interrupt(run, str(error))
            raise
        except Exception as error:
            training = sys.modules.get("fmnist.training")
            if training and isinstance(error, training.TrainingError):
                self._fail(run, str(error))
            else:  # A bug. The log has its traceback, the page a sentence, and the queue goes on.
                log.exception("run %d", run.id)
                self._fail(
                    run,
                    f"The training ended by a fault of this program; the details are in {log_path(self.runs.path)}.",
                )

    def _fail(self, run: Run, sentence: str) -> None:
        log.info("run %d failed: %s", run.id, sentence)
        self.runs.finish(run.id, "failed", error=sentence)

    def _interrupt(self, run: Run, sentence: str) -> None:
        # If not even that can be written, whoever looks next finds a running run without a trainer.
        with suppress(StoreError):
            self.runs.finish(run.id, "interrupted", error=sentence)

    def _dataset(self, name: str, root: Path) -> data.Dataset:
        if (name, root) not in self._datasets:
            self._datasets[name, root] = data.load(name, root, self.runs.path.parent)
        return self._datasets[name, root]

    def _follow(self, run: Run, training: ModuleType) -> None:
        """Write down what a training says, a few times a second; stop it when somebody wishes so."""
        dataset = self._dataset(run.recipe.dataset, Path(run.data_root))
        saved = self.runs.artifact(run.id, "checkpoint")
        events = training.train(run.recipe, dataset, load_checkpoint(saved) if saved else None)
        points: list[Point] = []
        artifacts: dict[str, bytes] = {}
        written, rate = 0.0, None  # The first points are written at once: somebody waits for them.
        for event in events:
            match event:
                case training.Started():
                    self.runs.record_start(
                        run.id,
                        device=event.device,
                        threads=event.threads,
                        machine=machine(),
                        versions=versions(),
                        parameters=event.parameters,
                        multiply_adds=event.multiply_adds,
                        steps=event.steps,
                        step=event.step,
                    )
                case training.Progress():
                    rate = event.images_per_second
                    points.append(
                        Point("train", event.step, event.epoch, event.train_seconds, event.loss, event.accuracy)
                    )
                case training.EpochEnd():
                    points.append(
                        Point(
                            "test",
                            event.step,
                            event.epoch,
                            event.train_seconds,
                            event.test_loss,
                            event.test_accuracy,
                        )
                    )
                    artifacts["checkpoint"] = save_checkpoint(event.checkpoint)
                    artifacts[f"predictions/{event.epoch}"] = store.pack(event.predictions)
                case training.Finished():
                    self._finish(run, event, points, artifacts)
                    return
            if points and time.monotonic() - written >= WRITE_SECONDS:
                if not self.runs.record(run.id, points, images_per_second=rate, artifacts=artifacts):
                    events.close()
                    self.runs.finish(run.id, "cancelled")
                    log.info("run %d stopped", run.id)
                    return
                points, artifacts, written = [], {}, time.monotonic()

    def _finish(self, run: Run, event: training.Finished, points: list[Point], artifacts: dict[str, bytes]) -> None:
        from safetensors.torch import save

        result = {
            "test_loss": event.test_loss,
            "test_accuracy": event.test_accuracy,
            "train_seconds": event.train_seconds,
            "eval_seconds": event.eval_seconds,
            "image_seconds": event.image_seconds,
            "dead": event.dead,
            "never_predicted": event.never_predicted,
            "zero_layers": event.zero_layers,
        }
        artifacts = artifacts | {"weights": save(event.weights), "logits": store.pack(event.logits)}
        artifacts.pop("checkpoint", None)
        self.runs.finish(run.id, "done", points=points, result=result, artifacts=artifacts)
        log.info("run %d done: test accuracy %.4f", run.id, event.test_accuracy)


def _load_training() -> ModuleType:
    try:
        return importlib.import_module("fmnist.training")
    except (ImportError, OSError, RuntimeError) as error:
        # What a torch raises that does not fit its libraries, its Python or the machine.
        raise data.DataError(
            f"PyTorch can't be loaded ({str(error).splitlines()[0]}): "
            "install it again with pip install -r requirements.txt."
        ) from error


def save_checkpoint(checkpoint: training.Checkpoint) -> bytes:
    """A checkpoint as a safetensors file, its numbers in the header."""
    from safetensors.torch import save

    numbers = {
        "epoch": checkpoint.epoch,
        "train_seconds": checkpoint.train_seconds,
        "eval_seconds": checkpoint.eval_seconds,
    }
    return save(checkpoint.tensors, metadata={"numbers": json.dumps(numbers)})


def load_checkpoint(saved: bytes) -> training.Checkpoint:
    from safetensors.torch import load

    from fmnist.training import Checkpoint

    # A safetensors file: the header's length in 8 bytes, the header as JSON, the tensors.
    header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
    return Checkpoint(**json.loads(header["__metadata__"]["numbers"]), tensors=load(saved))


def machine() -> str:
    """The processor's name, as well as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # Not Linux.
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """What a result may depend on besides its recipe."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("torch", "numpy")}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fmnist.trainer", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=store.store_path, default=store.store_path(), help="the store's file")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without work")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        runs = Store(options.runs)
        trainer = Trainer(runs)
        while True:
            # Others hold the lock for moments, to see whether it is free.
            with _held(_lock(runs.path), timeout=2) as mine:
                if not mine:
                    return 0  # Another trainer is at work.
                runs.interrupt_running()
                trainer.work(options.idle_seconds)
            # Somebody may have queued a run just before the lock was given back, and have seen it still held.
            if not runs.runs("queued"):
                return 0
    except StoreError as error:
        log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
