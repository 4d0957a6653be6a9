"""What this machine has: processor, cores, memory, and how many runs it can train at once."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

MAX_SLOTS = 8
RUN_BYTES = 10**9
"""Memory of a run: torch and the images as floats (measured: 0.8 GB)."""


def slots() -> int:
    """How many runs are trained side by side: one for each processor core that we may use, as far as memory goes."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        memory = 4 * RUN_BYTES
    return max(1, min(cores(), MAX_SLOTS, memory // (2 * RUN_BYTES)))


def machine() -> str:
    """The processor's name, as well as the system tells it, and how many cores we may use: "AMD EPYC, 2 cores"."""
    return f"{_processor()}, {cores()} core{'s' if cores() != 1 else ''}"


def cores() -> int:
    """How many cores of this machine we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # Not Linux.
    return platform.processor() or platform.machine()


def versions(compiled: bool) -> dict[str, str]:
    """What a result may depend on besides its recipe. Numba's stands there if it has compiled what trained a run."""
    names = ("torch", "numpy", *(["numba"] if compiled else []))
    return {"python": platform.python_version()} | {name: version(name) for name in names}
