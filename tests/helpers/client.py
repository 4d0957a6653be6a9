"""A client of the dashboard's server that does without its pages: it speaks the websocket protocol of Streamlit's
frontend (BackMsg, ForwardMsg of streamlit.proto), and says whatever it likes.
"""

from __future__ import annotations

import http.cookiejar
import json
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect  # Streamlit brings it.

PRESSED = object()
"""What a widget is set to when it is pressed."""


class Client:
    """One session.

    Args:
        page: its name in the address; "" for the Dashboard.
        query: what follows it there.
        cookie, headers: of the websocket's handshake, beside what the frontend sends.
        tls: for a server with https.
        source: the address from which it comes.

    Attributes:
        seen: the element of each widget that was ever sent to it, by its key, or else by its label.
        fragments: of each of these, the fragment that it belongs to, or "".
        said: all text that was sent to it, of the last run of a script.
    """

    def __init__(
        self,
        url: str,
        page: str,
        query: str = "",
        *,
        cookie: str = "",
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        source: str = "",
    ) -> None:
        self.url, self.page, self.query = url, page, query
        self.seen: dict[str, Any] = {}
        self.fragments: dict[str, str] = {}
        self.said: list[str] = []
        self.session = ""
        self._hash = ""
        jar = http.cookiejar.CookieJar()
        self._http = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(jar), urllib.request.HTTPSHandler(context=tls)
        )
        self._http.open(f"{url}/_stcore/health").close()
        self.token = next((cookie.value for cookie in jar if cookie.name == "_streamlit_xsrf"), "") or ""
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(
                url.replace("http", "ws", 1) + "/_stcore/stream",
                subprotocols=["streamlit", self.token],
                additional_headers={"Cookie": f"_streamlit_xsrf={self.token}; {cookie}"} | (headers or {}),
                ssl=tls,
                source_address=(source, 0) if source else None,
                origin=url,
                max_size=None,
            )
        )
        self.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def run(self, widgets: dict[str, object] | None = None, fragment: str = "") -> None:
        """Have the page run, or a fragment of it, with these widgets set, by their ids; wait until it has."""
        self.said = []
        self.send(widgets, fragment)
        for answer in self._answers():
            self._take(answer)

    def send(self, widgets: dict[str, object] | None = None, fragment: str = "") -> None:
        """The same without waiting: a fragment that the session does not have is not answered."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.fragment_id = self.query, fragment
        if self._hash:
            rerun.page_script_hash = self._hash
        else:
            rerun.page_name = self.page
        for id, value in (widgets or {}).items():
            state = rerun.widget_states.widgets.add(id=id)
            if value is PRESSED:
                state.trigger_value = True
            elif isinstance(value, str):
                state.string_value = value
            elif isinstance(value, list):
                state.string_array_value.data.extend(value)
            else:
                raise TypeError(value)
        self._socket.send(message.SerializeToString())

    def _answers(self) -> Iterator[ForwardMsg]:
        """What comes until the script has ended, and did not ask to be begun again."""
        while True:
            message = ForwardMsg.FromString(self._socket.recv(timeout=60))
            yield message
            early = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
            if message.WhichOneof("type") == "script_finished" and not early:
                return

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self.session = message.new_session.initialize.session_id or self.session
            case "navigation":
                self._hash = message.navigation.page_script_hash
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                kind = element.WhichOneof("type")
                content = getattr(element, kind)
                self.said += [getattr(content, name) for name in ("body", "label") if getattr(content, name, "")]
                if id := getattr(content, "id", ""):
                    key = id.split("-", 2)[-1]
                    name = key if key != "None" else getattr(content, "label", kind)
                    self.seen[name] = content
                    self.fragments[name] = message.delta.fragment_id

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        """An HTTP request with the session's cookies and token; its status."""
        request = urllib.request.Request(f"{self.url}/{path}", body or None, method=method)
        for name, value in ({"X-Xsrftoken": self.token} | headers).items():
            request.add_header(name, value)
        try:
            with self._http.open(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def upload(self, content: bytes, name: str = "picture.png") -> int:
        """Send a file as the file uploader does; the status of the answer."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        path = f"_stcore/upload_file/{self.session}/{uuid.uuid4()}"
        return self.ask("PUT", path, body, **{"Content-Type": f"multipart/form-data; boundary={boundary}"})


def selected_rows(*rows: int) -> str:
    """The state of a table in which these rows are selected."""
    return json.dumps({"selection": {"rows": list(rows), "columns": [], "cells": []}})
