"""What the benches share: a table to print, waiting that ends, and the processes that a process has started."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from fmnist.store.run import ACTIVE
from fmnist.store.store import Store

# As for most people: what is started here need not compile the same modules each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def show(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def wait(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not within this time; names what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def wait_until_trained(store: Store, seconds: float = 600) -> None:
    wait(lambda: not store.runs(*ACTIVE), "the trainer: see its log", seconds)


def descendants(pid: int) -> list[int]:
    """The ids of the processes that a process started, and of those that they started (Linux)."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *descendants(child)]
    return found


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def cpu_seconds(*pids: int) -> float:
    """The processor time that processes have used so far, without that of processes that have ended (Linux)."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")
