"""Waiting, and processes: what runs, what stands still, what is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from fmnist.store.store import Store

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 120) -> T:
    """Look until the condition holds, and give its value; a test that waits in vain fails with its name."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {condition.__qualname__}"
        time.sleep(0.05)
    return value


def commands() -> dict[int, tuple[int, str]]:
    """All processes: the parent's process id and the command line, by process id."""
    if not Path("/proc/self/cmdline").exists():
        lines = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True).stdout
        rows = [line.split(maxsplit=2) for line in lines.splitlines()]
        return {int(pid): (int(parent), command) for pid, parent, command in rows}
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # It has ended in the meantime.
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            found[int(path.name)] = int(parent), command
    return found


def trainer_processes(folder: Path) -> list[int]:
    """The process ids of the trainers that work on a store somewhere in a folder, or are about to find that one does.

    One that starts a process seems to be two for a moment, until the new one runs what it shall: its parent tells.
    """
    found = {
        pid: parent
        for pid, (parent, command) in commands().items()
        if "-m fmnist.training.scheduler" in command and str(folder) in command
    }
    return [pid for pid, parent in found.items() if parent not in found]


def trainer_at_work(folder: Path) -> int:
    """The process id of the trainer that holds the lock of the store in a folder, once there is one."""
    return wait_for(lambda: next((pid for pid in trainer_processes(folder) if pid in _lock_holders(folder)), None))


def only_trainer(folder: Path) -> int:
    """The same, once it is the only one. Each visit of the Train page starts one, which ends when it has found another;
    a second one that stayed would be waited for in vain."""
    at_work = trainer_at_work(folder)
    wait_for(lambda: trainer_processes(folder) == [at_work])
    return at_work


def _lock_holders(folder: Path) -> list[int]:
    """The process ids of those who hold a trainer's lock in a folder. Who only looks holds it too, for a moment."""
    if not Path("/proc/locks").exists():
        trainers = trainer_processes(folder)
        return trainers if len(trainers) == 1 else []
    locks = {str(path.stat().st_ino) for path in folder.rglob("*.trainer.lock")}
    # "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; one that waits has "->" behind its number.
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [int(line[4]) for line in lines if line[1] == "FLOCK" and line[5].rpartition(":")[2] in locks]


def kill_trainers(folder: Path) -> None:
    """End them at once, as a power cut would, and wait until they are gone; those too that were just being started."""

    def are_gone() -> bool:
        trainers = trainer_processes(folder)
        for pid in trainers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not trainers

    wait_for(are_gone)


@contextmanager
def standing_still(store: Store) -> Iterator[int]:
    """Trainer and workers of a store do nothing for a while: however fast the machine, no training is over before we
    have looked. They do not stop half-way through writing: others could not write meanwhile. Gives the trainer's
    process id."""
    trainer = trainer_at_work(store.path.parent)
    family = [trainer, *descendants(trainer)]
    with store._write():
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: all(state_of(pid) in ("T", "Z", "") for pid in family))
    try:
        yield trainer
    finally:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have started."""
    known = commands()
    found = [pid]
    for parent in found:
        found += [child for child, (its_parent, _) in known.items() if its_parent == parent]
    return found[1:]


def state_of(pid: int) -> str:
    """What a process does: R runs, S sleeps, T stands still, Z is dead and was not taken note of; "" if it is gone."""
    if not Path("/proc/self/stat").exists():
        return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()[:1]
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    return ""
