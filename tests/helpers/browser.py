"""A real dashboard, and somebody who visits it with a real browser."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.processes import kill_trainers, wait_for
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from fmnist.settings import PROJECT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocket

PORTS = itertools.count(11_000 + os.getpid() % 1_000 * 20)  # Above 10080, which browsers refuse to open.


def free_port() -> int:
    """A port for a server that is about to start, and may start again.

    Not one that the system would hand out: it would hand it out again, to the next connection of whatever process,
    between our look and the server's start. Processes that test at the same time look in different places.
    """
    for port in PORTS:
        with socket.socket() as free, suppress(OSError):
            free.bind(("localhost", port))
            return port
    raise AssertionError("PORTS does not end")


class Server:
    """A real dashboard in a process of its own, on a free port.

    Args:
        runs: the folder of its store.
        data: its data root.
        command: of an installation, run in the folder in which the test is, with Streamlit's options added; else the
            checkout's script is served.
        environment: further variables for it; None takes one away.
    """

    def __init__(self, runs: Path, data: Path, command: list[str] | None = None, **environment: str | None) -> None:
        self.runs, self.data, self.command = runs, data, command
        self.environment = {"FMNIST_RUNS": str(runs), "FMNIST_DATA": str(data)} | environment
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.runs.with_name(self.runs.name + "-server.log")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = list(self.command or [sys.executable, "-m", "streamlit", "run", "dashboard.py"])
        command += ["--server.port", str(self.port), "--server.headless", "true"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=None if self.command else PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={name: value for name, value in (os.environ | self.environment).items() if value is not None},
            )
        wait_for(self._answers)

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
            return answer.status == 200
        return False

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def served(runs: Path, data: Path, **environment: str | None) -> Iterator[Server]:
    """A server for the time of a test or a file of tests; with it go its trainers. No page raised anything in it."""
    server = Server(runs, data, **environment)
    try:
        server.start()
        yield server
        server.kill()  # Before its log is read to the end.
        log = server.log.read_text(errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    finally:
        server.kill()
        kill_trainers(runs)


CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Windows of one visitor share a process, which needs to compile Streamlit's and Plotly's code only once.
    "--process-per-site",
]


BRIEF = "--js-flags=--no-opt --no-maglev"
"""Of a browser in which nothing runs for long: optimized code would not win back what it takes to optimize it."""


CALM: dict[str, Any] = {"reduced_motion": "reduce"}
"""Of everybody's browser: nobody looks at the animations, which would be drawn by the processor."""


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """The system's Chromium, with further flags; without one, or without Playwright, the tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    # The shell is the same engine without the windows of a desktop, for a third less of the processor.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS, *flags])
        yield browser
        browser.close()


def visited(browser: Browser, server: Server, **context: Any) -> BrowserContext:
    """What somebody has of a browser who comes to a server again and again: its process, too, goes on while one window
    is closed and the next is not open yet.

    Args:
        context: Playwright's options.
    """
    place = browser.new_context(**CALM | context)
    place.new_page().goto(f"{server.url}/_stcore/health")
    return place


DRAWN = """() =>
    [...document.querySelectorAll("[data-testid=stPlotlyChart]")].every(chart => chart.querySelector(".main-svg")) &&
    !document.querySelector("[data-stale=true], [data-testid=stSkeleton]") &&
    document.getAnimations().every(animation => animation.playState !== "running")"""
"""Whether a page stands as it will stay."""


class Visitor:
    """Somebody with a browser window, who notes what goes wrong in it.

    Args:
        place: a browser, for somebody who was never here; or what an earlier visitor has left of one, to come back in a
            new window: its cookies, and the files that it need not load again.
        server: the dashboard that is visited.
        context: of a visitor who was never here, Playwright's options.
    """

    def __init__(self, place: Browser | BrowserContext, server: Server, **context: Any) -> None:
        self.server = server
        self._returns = hasattr(place, "browser")
        self.context = place if self._returns else place.new_context(**CALM | context)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.connection: WebSocket | None = None  # The newest one to the server.
        self.page.on("websocket", self._take)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._note)

    def _take(self, connection: WebSocket) -> None:
        if connection.url.endswith("/_stcore/stream"):
            self.connection = connection

    def _note(self, message: Any) -> None:
        # A deep link makes Streamlit look for itself below the page's address first; that it is not there is no fault.
        probe = "404" in message.text and "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not probe:
            self.faults.append(f"{message.text} ({message.location.get('url')})")

    def open(self, path: str = "") -> Page:
        """Go to a page of the dashboard and wait until it is drawn."""
        self.page.goto(f"{self.server.url}/{path}")
        self.page.get_by_test_id("stMain").get_by_role("heading", level=1).wait_for()
        return self.settled()

    def turn_to(self, path: str) -> Page:
        """Go to another address of the dashboard that is open, as Back does: the program is not loaded again."""
        with self.answered():
            self.page.evaluate(
                "address => { history.pushState({}, '', address); dispatchEvent(new Event('popstate')); }",
                f"{self.server.url}/{path}",
            )
        self.page.get_by_test_id("stMain").get_by_role("heading", level=1).wait_for()
        return self.settled()

    def settled(self) -> Page:
        """Wait until no script runs. The browser may have parts of the page still to draw, for which it loads code."""
        self.page.locator('[data-testid=stApp][data-test-script-state="notRunning"]').wait_for()
        return self.page

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Wait until the page has answered what is done here: no script seems to run before one has been asked for."""
        self.settled()
        assert self.connection, "there is no connection to the server"
        with self.connection.expect_event("framereceived", _has_run):
            yield
        self.settled()

    def check(self) -> None:
        """Nothing went wrong in the browser, and no page shows a traceback."""
        assert not self.faults, self.faults
        assert self.page.get_by_test_id("stException").count() == 0

    def close(self) -> None:
        if self._returns:
            self.page.close()
        else:
            self.context.close()


def _has_run(frame: str | bytes) -> bool:
    """Whether the server says that the page's script has run to its end."""
    return isinstance(frame, bytes) and (
        (message := ForwardMsg.FromString(frame)).WhichOneof("type") == "script_finished"
        and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
    )


def wait_until_it_rests(place: Locator) -> None:
    """Wait until an element stays where it is: fonts and pictures come late, and move what is below them."""
    place.evaluate(
        """(element) => new Promise((rests) => {
            let last = "", frames = 0;
            const look = () => {
                const box = element.getBoundingClientRect(), now = [box.left, box.top, box.width, box.height].join();
                frames = now === last ? frames + 1 : 0;
                last = now;
                frames < 12 ? requestAnimationFrame(look) : rests();
            };
            look();
        })"""
    )


def points_drawn(page: Page) -> dict[str, int]:
    """For each model the number of points of its training curve of accuracy, as far as it is drawn: of what is trained
    here, not of the reference runs that stand there before."""
    traces = page.evaluate(
        """() => {
            const plot = document.querySelector(".live .accuracy.js-plotly-plot");
            return (plot?.data ?? [])
                .filter(line => line.mode === "lines" && !line.uid.startsWith("reference"))
                .map(line => [line.name, line.x.length]);
        }"""
    )
    return dict(traces)
