"""It runs without a usable temporary folder, without a home folder, by a user without a name, on a read-only disk."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence

from fmnist import settings
from fmnist.training import launcher

TRAIN = ("train", "--dataset", "sample", "--models", "0", "--epochs", "1", "--device", "cpu", "--quiet")
CLOSED = """
set -e
mount --make-rprivate /
for folder in /tmp /var/tmp {project} {writable}; do mount --bind "$folder" "$folder"; done
chmod 777 {writable}
for folder in / /tmp /var/tmp /dev/shm {project}; do mount -o remount,bind,ro "$folder"; done
cd {project}
"""
"""Nothing can be written but one folder."""
NAMELESS = "--reuid 23456 --regid 23456 --clear-groups"
READS_ALL = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"
"""Python and the project may lie in a home folder that is closed to others."""


def without_home(**more: str) -> dict[str, str]:
    left = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME", "TMPDIR")}
    return left | more


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fmnist", *arguments]
    return subprocess.run(
        command, cwd=settings.PROJECT, env=without_home(**environment), capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(sys.platform == "win32", reason="has no sockets with paths")
@pytest.mark.parametrize("name", [pytest.param("long" * 25, id="long"), pytest.param("\udcff", id="no text")])
def test_it_trains_wherever_the_temporary_folder_is(name, small_sample, runs_path, tmp_path):
    folder = Path("/tmp") / f"{tmp_path.parent.name}-{name}"
    folder.mkdir()
    try:
        answer = call(*TRAIN, TMPDIR=str(folder), FMNIST_RUNS=str(runs_path))
    finally:
        shutil.rmtree(folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("Model 0, seed 0: ")


@pytest.fixture
def closed_to(small_sample, runs_path):
    """Runs a shell script where nothing but the store's folder can be written, by a user without a name or home."""
    folder = runs_path.parent
    places = {"project": shlex.quote(str(settings.PROJECT)), "writable": shlex.quote(str(folder))}

    def run(script: str) -> subprocess.CompletedProcess[str]:
        as_nobody = f"exec setpriv {NAMELESS} {READS_ALL} bash -c {shlex.quote(script)}"
        return subprocess.run(
            ["unshare", "-m", "bash", "-c", CLOSED.format_map(places) + as_nobody],
            env=without_home(FMNIST_RUNS=str(runs_path), PYTHON=sys.executable),
            capture_output=True,
            text=True,
            timeout=240,
        )

    if not shutil.which("unshare") or not shutil.which("setpriv") or run("true").returncode:
        pytest.skip("No mount namespace can be made here.")
    return run


def test_it_trains_verifies_and_tries_models_where_one_folder_can_be_written(closed_to, runs_path):
    model = settings.PROJECT / "docs" / "my_models.py"
    answer = closed_to(
        f"""
        touch /tmp/x /var/tmp/x x 2>/dev/null && echo "something else can be written"
        "$PYTHON" -m fmnist {shlex.join(TRAIN)} || exit 1
        "$PYTHON" -m fmnist verify 1 || exit 1
        FMNIST_MODELS={shlex.quote(str(model))} "$PYTHON" -m fmnist {shlex.join(TRAIN)} --models norm-cnn --dry-run
        """
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    trained, verified, _, planned = answer.stdout.splitlines()
    assert trained.startswith("Model 0, seed 0: ") and verified.startswith("1 Model 0, seed 0: agrees")
    assert planned.startswith("Norm CNN ")
    assert "no temporary folder takes a socket" in launcher.log_path(runs_path).read_text()


def test_where_the_store_cannot_be_written_a_sentence_says_so(closed_to, tmp_path):
    (tmp_path / "other").mkdir()
    for arguments in (TRAIN, ("runs", "list")):
        answer = closed_to(f'"$PYTHON" -m fmnist {shlex.join(arguments)} --runs {shlex.quote(str(tmp_path / "other"))}')
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.startswith("fmnist: ") and is_one_sentence(answer.stderr.strip())
        assert "FMNIST_RUNS" in answer.stderr
