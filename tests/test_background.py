"""Processes beside ours: what they say is read, however much it is, and they end when they shall."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.processes import wait_for

from fmnist import settings
from fmnist.background import BackgroundProcess, detach


def run(script: str, **options) -> BackgroundProcess:
    process = BackgroundProcess("-c", script, **options)
    assert process.wait(60) is not None
    return process


def test_what_it_says_is_told_from_what_its_libraries_write():
    process = run(
        "import sys; from fmnist import background; print('a line'); sys.stderr.write('Warning: old\\n');"
        "background.say('One thing.'); background.say('Another.'); sys.stderr.write('0it [00:00]\\n'); sys.exit(1)"
    )
    assert process.exit_code == 1
    assert process.output == "a line\n"
    assert process.sentences == ["One thing.", "Another."]
    assert process.fault("It broke off.") == "Another."


def test_what_a_library_colours_is_told_without_colours():
    process = run("import sys; from fmnist import background; sys.stderr.write('\\x1b[31mfmnist: Too red.\\x1b[0m\\n')")
    assert process.sentences == ["Too red."]


def test_one_that_could_not_say_it():
    assert run("raise RuntimeError('fmnist broke')").fault("It broke off.") == "It broke off."


def test_a_command_that_cannot_be_done_says_why(tmp_path):
    process = BackgroundProcess(*settings.module("fmnist"), "runs", "show", "7", "--runs", str(tmp_path))
    assert process.wait(60) == 1
    assert process.fault("") == f"There is no run 7 in {tmp_path / 'fmnist.db'}: see python -m fmnist runs list."


def test_it_reads_what_it_is_given_and_writes_as_much_as_it_likes():
    text = "é" * 300_000  # More than a pipe holds.
    process = run("import sys; said = sys.stdin.read(); print(len(said)); sys.stderr.write(said)", text=text)
    assert (process.output, process.reports) == ("300000\n", [text])


def test_what_is_read_while_it_writes_moves_nothing():
    process = BackgroundProcess("-u", "-c", "print(1)\nimport time\ntime.sleep(1000)")
    wait_for(lambda: process.output == "1\n")
    assert process.output == "1\n" and process.exit_code is None
    process.stop()
    assert process.exit_code and process.output == "1\n"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="There are no process groups here.")
def test_what_it_has_started_ends_with_it():
    script = (
        "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\nchild.wait()"
    )
    process = BackgroundProcess("-c", script, with_children=True)
    child = int(wait_for(lambda: process.output))
    process.stop()
    wait_for(lambda: not _is_there(child))


def _is_there(pid: int) -> bool:
    """A zombie is not: nobody may wait for it where we are the first process."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_detached_process_writes_its_log(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("before\n")
    monkeypatch.setenv("WORD", "after")
    detach("-c", "import os, sys; print(os.environ['WORD'], file=sys.stderr)", log=log)
    wait_for(lambda: log.read_text() == "before\nafter\n")


def test_without_a_temporary_folder_what_it_says_is_kept_in_memory(monkeypatch, tmp_path):
    if not hasattr(os, "memfd_create"):
        pytest.skip("Linux alone has files in memory.")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    process = run("import sys; print(input()); sys.stderr.write('fmnist: One thing.\\n')", text="a line")
    assert process.output == "a line\n" and process.sentences == ["One thing."]
