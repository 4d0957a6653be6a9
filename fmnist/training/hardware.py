"""What this machine has: processor, cores, memory, and how many runs it can train at once."""

from __future__ import annotations

import math
import os
import platform
from importlib.metadata import version
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux tells what a container, or a service, may use (control groups of version 2)."""
OWN_CGROUP = Path("/proc/self/cgroup")
MAX_SLOTS = 8
RUN_BYTES = 10**9
"""Memory of a run: torch and the images as floats (measured: 0.8 GB)."""


def slots() -> int:
    """How many runs are trained side by side: one for each processor core that we may use, as far as memory goes."""
    return max(1, min(cores(), MAX_SLOTS, memory() // (2 * RUN_BYTES)))


def memory() -> int:
    """How much memory we may use, in bytes: this machine's, or what the container leaves us of it."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        found = 4 * RUN_BYTES
    limits = (_numbers(group / "memory.max") for group in _cgroups())
    return min([found, *(int(limit[0]) for limit in limits if limit)])


def machine() -> str:
    """The processor's name, as well as the system tells it, and how many cores we may use: "AMD EPYC, 2 cores"."""
    return f"{_processor()}, {cores()} core{'s' if cores() != 1 else ''}"


def cores() -> int:
    """How many cores of this machine we may use; of one that a container may use in part, the whole."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # The microseconds of processor time that it may use within a period.
    quotas = (_numbers(group / "cpu.max") for group in _cgroups())
    return min([found, *(max(1, math.ceil(quota[0] / quota[1])) for quota in quotas if len(quota) == 2 and quota[1])])


def _cgroups() -> list[Path]:
    """Our control group and those that it is in: the limits of each hold for us. None where there are no such.

    In a container the outermost that we see is the container's own.
    """
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:  # Not Linux.
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return []
    group = CGROUPS / own
    return [group, *(parent for parent in group.parents if parent.is_relative_to(CGROUPS))]


def _numbers(file: Path) -> list[float]:
    """The numbers in a file of a control group; none where there is no limit ("max"), or no file."""
    try:
        return [float(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


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
