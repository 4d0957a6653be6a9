"""What the benches share that need the dashboard in a browser: a server with its trainer, and Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.common import cpu_seconds, descendants, kill, wait
from fmnist.settings import PROJECT

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    url: str
    pid: int

    @property
    def memory(self) -> float:
        """Resident memory, in MB (Linux)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def calm(self) -> None:
        """Wait until neither the server nor what it started has anything to do."""
        used = cpu_seconds(self.pid, *descendants(self.pid))

        def idle() -> bool:
            nonlocal used
            time.sleep(0.5)
            before, used = used, cpu_seconds(self.pid, *descendants(self.pid))
            return abs(used - before) < 0.05

        wait(idle, "the server to come to rest")


@contextmanager
def server(runs: Path, root: Path, **environment: str) -> Iterator[Server]:
    """The dashboard, once it answers; in the end it goes, and the processes that it started.

    Args:
        runs: the folder of its store.
        root: its data root.
        environment: what else it finds in its environment.
    """
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port), "--server.headless", "true"],
        cwd=PROJECT,
        env=os.environ | {"FMNIST_RUNS": str(runs), "FMNIST_DATA": str(root)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(lambda: answers(f"http://localhost:{port}/_stcore/health"), "the server to answer")
        yield Server(f"http://localhost:{port}", process.pid)
    finally:
        started = descendants(process.pid)  # The trainer would stay: it outlives its server.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
        process.wait()
        kill(started)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=1):
        return True
    return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium or Chrome."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def ready(page: Page) -> None:
    """Wait until no script runs."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
