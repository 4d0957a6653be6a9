"""What is lost when a process is killed?  python -m bench.campaigns.kills [--count 8] [--seed 0]

Two seeds are trained, once undisturbed and then again and again in a new store: by a command, or by a press on the
Train page. At a random moment one of the processes that take part is killed (kill -9): the command, the server, the
scheduler, a worker, or the process from which the workers are forked; half of the commands with all of these. Half of
the moments are while something is trained, the others may be while all is still being loaded. Then the same command is
called again, or the same button pressed, once: nothing else. It has to go on, and to end with weights and logits that
are those of the undisturbed runs bit for bit, each run once, and `verify` finds nothing. A worker or a forking process
that is killed does not even need a second call. Linux alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.common import descendants, kill, wait
from bench.session import Session, running_server
from fmnist import __main__ as cli
from fmnist import settings
from fmnist.store.run import ACTIVE, Status
from fmnist.store.store import Store

KINDS = ("scheduler", "worker", "forking process", "server", "command")
SEEDS = 2
LONGEST = 300.0
"""Seconds that a training may take, killed or not."""
MAX_TRIES = 8
"""How often a moment is looked for at which there still is something to kill."""


@dataclass(frozen=True)
class Undisturbed:
    """What is trained, and what has to come out."""

    images: Path  # the file with the generated data, which every store gets
    epochs: int
    batch_size: int
    seconds: float = 0.0  # from the first step to the end
    outcome: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # weights and logits by seed

    @property
    def command(self) -> list[str]:
        numbers = ["--seeds", f"0-{SEEDS - 1}", "--epochs", str(self.epochs), "--batch-size", str(self.batch_size)]
        return [*settings.module("fmnist"), "train", "--dataset", "sample", "--models", "0", *numbers]

    @property
    def query(self) -> str:
        """The same in the address of the Train page."""
        return (
            f"models=0&dataset=sample&seeds={SEEDS}&epochs={self.epochs}&rate=0.1&batch={self.batch_size}&optimizer=sgd"
        )


def call(what: Undisturbed, path: Path) -> subprocess.Popen[str]:
    """Start the command on a store."""
    return subprocess.Popen(
        [sys.executable, *what.command, "--runs", str(path)],
        cwd=settings.PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def undisturbed(images: Path, epochs: int, batch_size: int) -> Undisturbed:
    """Train once, without anybody killing anything."""
    what = Undisturbed(images, epochs, batch_size)
    with new_store(what) as path:
        said, _ = (process := call(what, path)).communicate(timeout=LONGEST)
        if process.returncode:
            raise RuntimeError(said)
        with closing(Store(path)) as store:
            runs = store.runs(Status.DONE)
            seconds = max(run.finished or 0 for run in runs) - min(run.started or 0 for run in runs)
            return Undisturbed(images, epochs, batch_size, seconds, outcome(store))


def outcome(store: Store) -> dict[int, tuple[bytes, bytes]]:
    """Weights and logits of the finished runs, by seed."""
    return {
        run.recipe.seed: (store.weights(run.id), store.artifact(run.id, "logits") or b"")
        for run in store.runs(Status.DONE)
    }


@contextlib.contextmanager
def new_store(what: Undisturbed) -> Iterator[Path]:
    """The path of a store in a folder of its own; in the end its trainer goes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shutil.copy(what.images, folder)
        path = Path(folder) / "fmnist.db"
        try:
            yield path
        finally:
            for trainer in trainers(path):
                kill([trainer, *descendants(trainer)])


# --- Who is there ---


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def trainers(path: Path) -> list[int]:
    """The schedulers that work on a store, or are about to find that one does."""
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if "-m fmnist.training.scheduler" in (said := command_of(pid)) and str(path) in said]


def victims(kind: str, path: Path, process: subprocess.Popen[str] | None) -> list[int]:
    """The processes of a kind that take part in the training of a store.

    Args:
        process: the command or the server that has started it.
    """
    if kind in ("command", "server"):
        return [process.pid] if process and process.poll() is None else []
    found = trainers(path)
    if kind == "scheduler":
        return found
    started = [pid for trainer in found for pid in descendants(trainer)]
    servers = [pid for pid in started if "multiprocessing.forkserver" in command_of(pid)]
    # A worker looks like the process from which it was forked, and is its child.
    workers = [pid for server in servers for pid in descendants(server)]
    return workers if kind == "worker" else [pid for pid in servers if pid not in workers]


# --- An attack ---


def attack(what: Undisturbed, kind: str, number: int, seed: int = 0) -> tuple[str, list[str]]:
    """Train in a new store, kill a process, and go on; what was done, and what is wrong with what came out."""
    chance = random.Random(f"{kind} {number} {seed}")
    share = chance.random()
    for _ in range(MAX_TRIES):
        with new_store(what) as path:
            delay = share * what.seconds
            through = through_page if kind == "server" else through_command
            done = through(what, path, kind, number, delay, chance)
            if done is not None:
                said, faults = done
                return f"{said} after {delay:.2f} s", [*faults, *wrong_with(what, path)]
        share /= 2  # All was over before: earlier.
    raise RuntimeError(f"no {kind} could be killed in time")


def strike(
    kind: str,
    path: Path,
    process: subprocess.Popen[str],
    delay: float,
    chance: random.Random,
    late: bool = False,
    whole: bool = False,
) -> str | None:
    """Kill a process of a kind, so long after the first one has appeared; who that was, or None if all was over.

    Args:
        late: not before there is a worker, which has loaded torch: most of what comes before is loading.
        whole: all others that take part, too.
    """
    awaited = "worker" if late else kind

    def is_there_or_over() -> bool:
        return bool(victims(awaited, path, process)) or process.poll() is not None

    wait(is_there_or_over, f"a {awaited}", LONGEST)
    time.sleep(delay)
    found = victims(kind, path, process)
    with closing(Store(path)) as store:
        runs = store.runs()
        if not found or (runs and not any(run.status in ACTIVE for run in runs)):
            return None
    chosen = [chance.choice(found)]
    if whole:
        chosen += [pid for trainer in trainers(path) for pid in (trainer, *descendants(trainer))]
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return f"{kind} killed{' with all others' if whole else ''}"


def through_command(
    what: Undisturbed, path: Path, kind: str, number: int, delay: float, chance: random.Random
) -> tuple[str, list[str]] | None:
    """Have the command train; kill; call it again, but where it has to get over it by itself."""
    process = call(what, path)
    try:
        odd = number % 2 == 1
        said = strike(kind, path, process, delay, chance, late=odd, whole=odd and kind == "command")
    except BaseException:
        process.kill()
        raise
    if said is None:
        process.communicate(timeout=LONGEST)
        return None
    output, _ = process.communicate(timeout=LONGEST)
    faults = ["a traceback"] if "Traceback" in output else []
    if kind in ("scheduler", "command"):
        again = call(what, path)
        output, _ = again.communicate(timeout=LONGEST)
        faults += ["a traceback"] if "Traceback" in output else []
        process = again
    if process.returncode:
        faults.append(f"exit code {process.returncode}: {output.strip().splitlines()[-1:]}")
    return said, faults


def through_page(
    what: Undisturbed, path: Path, kind: str, number: int, delay: float, chance: random.Random
) -> tuple[str, list[str]] | None:
    """Have a press on the page train; kill the server; start it again, and press once more."""
    said: str | None = None
    for attempt in range(2):
        with running_server(path) as server, Session(server.url, "Train", what.query) as session:
            session.press("train", waiting=bool(attempt))
            if attempt:
                with closing(Store(path)) as store:
                    wait(lambda: not store.runs(*ACTIVE), "the trainer: see its log", LONGEST)
            elif (said := strike(kind, path, server.process, delay, chance, late=number % 2 == 1)) is None:
                return None
    assert said
    return said, []


def wrong_with(what: Undisturbed, path: Path) -> list[str]:
    """What is not as without the attack."""
    faults = []
    with closing(Store(path)) as store:
        runs = store.runs()
        if [run.status for run in runs] != [Status.DONE] * SEEDS:
            faults.append(f"runs are {', '.join(f'{run.id} {run.status} ({run.error})' for run in runs)}")
        found = outcome(store)
        faults += [f"seed {seed} came out otherwise" for seed in what.outcome if found.get(seed) != what.outcome[seed]]
        own = [str(run.id) for run in runs if run.status == Status.DONE]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if own and cli.main(["verify", *own, "--runs", str(path)]):
            faults.append(f"verify: {said.getvalue().strip()[:300]}")
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, and print what came of it; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=8, help="of each kind of process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, help="this one alone")
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args(arguments)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        from fmnist.data import files

        files.load("sample", Path(folder), Path(folder))
        what = undisturbed(next(Path(folder).glob("sample-*.npz")), asked.epochs, 32)
        print(f"Undisturbed: {what.seconds:.1f} s.", flush=True)
        for kind in [asked.kind] if asked.kind else KINDS:
            for number in range(asked.count):
                done, faults = attack(what, kind, number, asked.seed)
                wrong += bool(faults)
                print(f"{kind} {number}: {done}: {'; '.join(faults) or 'fine'}", flush=True)
    print(f"{wrong} attacks were not got over.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
