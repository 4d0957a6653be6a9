"""A server of the dashboard, and somebody who presses a button there without a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect  # Streamlit brings it.
from websockets.typing import Origin, Subprotocol

from bench.common import wait
from fmnist.settings import PROJECT


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def running_server(runs: Path) -> Iterator[RunningServer]:
    """The dashboard on a store, once it answers; in the end it goes, and the trainer that it has started stays.

    Args:
        runs: the store's file.
    """
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboard.py", *options],
        cwd=PROJECT,
        env=os.environ | {"FMNIST_RUNS": str(runs)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5):
            return True
        return False

    try:
        wait(answers, "the server to answer")
        yield RunningServer(f"http://localhost:{port}", process)
    finally:
        process.kill()
        process.wait()


class Session:
    """Somebody who has opened a page.

    Args:
        page: its name in the address.
        query: what follows it there.
    """

    def __init__(self, url: str, page: str, query: str) -> None:
        self._page, self._query, self._hash = page, query, ""
        self._ids: dict[str, str] = {}  # of widgets, by their keys
        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(address, subprotocols=[Subprotocol("streamlit")], origin=Origin(url), max_size=None)
        )
        self._ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # The server may have been killed.
            self._open.close()

    def press(self, key: str, *, waiting: bool) -> None:
        """Press a button.

        Args:
            waiting: until the page has run; else until the server has got it.
        """
        self._ask(self._ids[key], waiting=waiting)

    def _ask(self, pressed: str = "", *, waiting: bool = True) -> None:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = self._query
        if self._hash:
            rerun.page_script_hash = self._hash
        else:
            rerun.page_name = self._page
        if pressed:
            rerun.widget_states.widgets.add(id=pressed).trigger_value = True
        self._socket.send(message.SerializeToString())
        while waiting:
            answer = ForwardMsg.FromString(self._socket.recv(timeout=60))
            match answer.WhichOneof("type"):
                case "navigation":
                    self._hash = answer.navigation.page_script_hash
                case "delta" if answer.delta.WhichOneof("type") == "new_element":
                    element = answer.delta.new_element
                    if id := getattr(getattr(element, element.WhichOneof("type")), "id", ""):
                        self._ids[id.split("-", 2)[-1]] = id
                case "script_finished" if answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    return
