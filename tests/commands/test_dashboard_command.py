"""`fmnist dashboard`: a real server, from any folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from helpers.browser import free_port
from helpers.processes import wait_for

from fmnist import settings


def answers(port: int, path: str) -> bytes | None:
    with suppress(OSError), urllib.request.urlopen(f"http://localhost:{port}/{path}", timeout=5) as answer:
        return answer.read()
    return None


def test_the_dashboard_is_served_from_any_folder(tmp_path):
    port = free_port()
    options = ["--", "--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fmnist", "dashboard", "--runs", "mine", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(settings.PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(lambda: process.poll() is not None or answers(port, "_stcore/health") == b"ok")
        assert b"<html" in answers(port, "")
        # The project's own configuration holds: other machines are not listened to.
        assert f"started on localhost:{port}" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture
def started(monkeypatch) -> list:
    """What would have been started: command and environment."""
    calls = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: calls.append((command, environment)))
    return calls


def test_places_are_handed_on(fmnist, started, tmp_path, monkeypatch):
    monkeypatch.delenv("FMNIST_DATA", raising=False)
    fmnist("dashboard", "--runs", tmp_path / "x", "--", "--server.port", "1", "-x")
    fmnist("dashboard", "--data", tmp_path / "y")
    (first, where), (second, there) = started
    assert first[-3:] == ["--server.port", "1", "-x"] and second[-1].endswith("dashboard.py")
    assert where["FMNIST_RUNS"] == str(tmp_path / "x" / "fmnist.db") and "FMNIST_DATA" not in where
    assert there["FMNIST_DATA"] == str(tmp_path / "y")


def test_whoever_has_no_home_folder_gets_one_for_streamlit(fmnist, started, tmp_path, monkeypatch):
    """Streamlit ends where there is none."""

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")  # As pathlib does.

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", fail)
    fmnist("dashboard", "--runs", tmp_path / "x")
    assert started[0][1]["HOME"] == str(tmp_path / "x")
