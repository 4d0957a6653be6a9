"""What this machine has, and what a container leaves us of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fmnist.training import hardware

GB = 10**9


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 64 cores and 256 GB, on which we are in the control group `outer/inner`; the folder of all."""
    root = tmp_path / "cgroup"
    (root / "outer" / "inner").mkdir(parents=True)
    for group in (root / "outer", root / "outer" / "inner"):  # The outermost has no such files.
        (group / "memory.max").write_text("max\n")
        (group / "cpu.max").write_text("max 100000\n")
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/somewhere\n0::/outer/inner\n")
    monkeypatch.setattr(hardware, "CGROUPS", root)
    monkeypatch.setattr(hardware, "OWN_CGROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 256 * GB // 4096, "SC_PAGE_SIZE": 4096}.__getitem__)
    return root


def test_without_limits_all_of_the_machine_may_be_used(machine):
    assert (hardware.cores(), hardware.memory(), hardware.slots()) == (64, 256 * GB, hardware.MAX_SLOTS)


@pytest.mark.parametrize("group", ["outer", "outer/inner"])
def test_a_container_of_two_gigabytes_trains_one_run_at_a_time(machine, group):
    (machine / group / "memory.max").write_text(f"{2 * GB}\n")
    assert (hardware.memory(), hardware.slots()) == (2 * GB, 1)


@pytest.mark.parametrize("group", ["outer", "outer/inner"])
@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_container_of_a_few_cores_trains_as_many_runs(machine, group, quota, cores):
    (machine / group / "cpu.max").write_text(f"{quota}\n")
    assert (hardware.cores(), hardware.slots()) == (cores, cores)
    assert hardware.machine().endswith(f", {cores} core{'s' if cores > 1 else ''}")


def test_the_narrowest_limit_holds(machine):
    for group, limit in (("outer", 6), ("outer/inner", 8)):
        (machine / group / "memory.max").write_text(f"{limit * GB}\n")
    assert (hardware.memory(), hardware.slots()) == (6 * GB, 3)


def test_in_a_container_that_sees_only_itself_its_limits_hold(machine):
    hardware.OWN_CGROUP.write_text("0::/\n")
    (machine / "memory.max").write_text(f"{4 * GB}\n")
    assert hardware.slots() == 2


@pytest.mark.parametrize("own", ["", "4:memory:/user\n", "0::/gone/meanwhile\n", "0::/../../elsewhere\n"])
def test_what_cannot_be_told_limits_nothing(machine, own):
    hardware.OWN_CGROUP.write_text(own)
    assert hardware.slots() == hardware.MAX_SLOTS
    hardware.OWN_CGROUP.unlink()
    assert hardware.slots() == hardware.MAX_SLOTS
