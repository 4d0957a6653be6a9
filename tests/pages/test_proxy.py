"""The dashboard behind nginx, with the configuration that docs/serving.md tells people to use, TLS included."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from helpers.browser import Visitor, free_port, points_drawn, served, visited
from helpers.client import PRESSED, Client
from helpers.data_files import keep_as_sample
from helpers.making import running_run, three_models
from helpers.processes import wait_for
from helpers.ui import PROJECT
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import to_png
from fmnist.recipe import Recipe
from fmnist.store.run import Point
from fmnist.store.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
ASKED = "models=0,1&dataset=sample&seeds={}&epochs=1&rate=0.1&batch=32&optimizer=sgd"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="nginx or openssl is not installed"),
]

ENVELOPE = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/fmnist.conf;
    # As a notebook server does it: a prefix of which the dashboard is told nothing.
    server {{
        listen 127.0.0.1:{stripping};
        location {prefix}/ {{
            proxy_pass http://localhost:{dashboard}/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
    }}
}}
"""
PREFIX = "/user/ann/proxy/8501"


@dataclass(frozen=True)
class Proxy:
    """nginx before a dashboard."""

    plain: int  # its port for http
    secure: int  # its port for https
    stripping: int  # its port for http below `PREFIX`, which the dashboard does not see
    runs: Path  # the dashboard's store

    @property
    def url(self) -> str:
        return f"https://localhost:{self.secure}"

    def client(self, page: str = "", query: str = "", **options) -> Client:
        return Client(self.url, page, query, tls=trusting(), **options)


def trusting() -> ssl.SSLContext:
    """For a certificate that nobody has signed.

    TLS 1.2: with 1.3 the server's session tickets arrive while the first request is sent, and websockets' client, which
    reads in one thread and writes in another, then loses it now and then: OpenSSL allows that to no two threads.
    """
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def configured(folder: Path, dashboard: int, plain: int, secure: int) -> str:
    """docs/serving/nginx.conf for a test: other ports, other paths, and no IPv6, which not every machine has."""
    text = (PROJECT / "docs/serving/nginx.conf").read_text()
    for shipped, here in (
        (r"listen \[::\]:.*\n", "\n"),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"),
        (r"https://fmnist\.example\.org\$", f"https://localhost:{secure}$"),
        (r"/etc/letsencrypt/live/fmnist\.example\.org", str(folder)),
        (r"fmnist\.example\.org", "localhost"),
        (r"server 127\.0\.0\.1:8501;", f"server localhost:{dashboard};"),
    ):
        text, count = re.subn(shipped, here, text)
        assert count, f"{shipped} is not in nginx.conf"
    return text


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Proxy]:
    """A dashboard whose viewers may have three runs each, and nginx before it; no trainer begins."""
    folder = tmp_path_factory.mktemp("proxy")
    runs = folder / "runs"
    keep_as_sample(small_data, runs)
    with closing(Store(runs / "fmnist.db")) as store:
        three_models(store, small_data, weights=True, dataset="sample")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    keys = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    make = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *keys]
    subprocess.run(make, check=True, capture_output=True)
    with (
        FileLock(runs / "fmnist.db.trainer.lock"),
        served(runs, folder / "no-data", FMNIST_QUEUE_LIMIT="3") as dashboard,
    ):
        plain, secure, stripping = free_port(), free_port(), free_port()
        (folder / "fmnist.conf").write_text(configured(folder, dashboard.port, plain, secure))
        user = "user root;" if os.getuid() == 0 else ""  # The test's folders are open to nobody else.
        (folder / "nginx.conf").write_text(
            ENVELOPE.format(folder=folder, user=user, prefix=PREFIX, stripping=stripping, dashboard=dashboard.port)
        )
        nginx = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)

        def answers() -> bool:
            assert nginx.poll() is None, nginx.stderr.read().decode()
            with suppress(OSError), socket.create_connection(("127.0.0.1", secure), timeout=5):
                return True
            return False

        try:
            wait_for(answers)
            yield Proxy(plain, secure, stripping, runs)
        finally:
            nginx.terminate()
            nginx.wait()
            nginx.stderr.close()


@pytest.fixture(scope="module")
def anns_browser(browser: Browser, proxy: Proxy) -> BrowserContext:
    return visited(browser, proxy, viewport={"width": 1400, "height": 1100}, ignore_https_errors=True)


@pytest.fixture
def visitor(anns_browser: BrowserContext, proxy: Proxy) -> Iterator[Visitor]:
    somebody = Visitor(anns_browser, proxy)
    yield somebody
    somebody.close()


def ask(proxy: Proxy, path: str, method: str = "GET", body: bytes = b"", host: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPSConnection("localhost", proxy.secure, context=trusting())
    connection.request(method, path, body or None, {"Host": host or f"localhost:{proxy.secure}"})
    return connection.getresponse()


def test_every_page_works_and_the_browser_is_told_what_it_may_load(proxy, visitor):
    """What the headers forbid would stand in the browser's console."""
    for name in ("", "Compare", "Confusion", "Predict?how=Draw", "Data"):
        page = visitor.open(name + ("&" if "?" in name else "?") + "data=Sample+data")
        if name in ("", "Compare"):
            page.locator(".js-plotly-plot").first.wait_for()
    visitor.check()
    policy = ask(proxy, "/").headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy and "script-src 'self'" in policy


def test_curves_grow_while_somebody_looks(proxy, visitor, small_data):
    with closing(Store(proxy.runs / "fmnist.db")) as store:
        id = running_run(store, Recipe("2", 7, "sample", 50), small_data, alone=True)
        page = visitor.open("Train")
        before = wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2"))
        grown = [Point("train", step, 1, step / 10, 1.0, 0.5) for step in range(100, 105)]
        store.record(id, grown, images_per_second=100.0, artifacts={})
        wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2") == before + len(grown))
        store.finish(id, "cancelled")
    visitor.check()


LAST_STEP = """
() => {
  const line = document.querySelector(".live .accuracy.js-plotly-plot")?.data?.find(({ mode }) => mode === "lines");
  return line ? [line.x.length, line.x[line.x.length - 1]] : [0, 0];
}
"""


def test_of_a_long_run_only_new_points_come_to_a_browser_that_has_the_others(proxy, visitor, small_data):
    def points(first: int, count: int) -> list[Point]:
        return [Point("train", step, 1, step / 10, 1 + step % 7, step % 5 / 5) for step in range(first, first + count)]

    def drawn(step: int) -> bool:
        page.wait_for_timeout(100)
        count, last = page.evaluate(LAST_STEP)
        return last == step and 250 < count <= 1000

    with closing(Store(proxy.runs / "fmnist.db")) as store:
        id = running_run(store, Recipe("2", 10, "sample", 1_000), small_data, alone=True)
        store.record(id, points(100, 5_000), images_per_second=100.0, artifacts={})
        frames: list[int] = []  # The sizes of those that hold the chart.

        def note(frame: bytes) -> None:
            frames.extend([len(frame)] if b"fmnist_live" in frame else [])

        visitor.page.on("websocket", lambda connection: connection.on("framereceived", note))
        page = visitor.open("Train")
        wait_for(lambda: drawn(5_099))
        assert frames[0] > 20_000
        # The browser says what it has, and the page answers that.
        wait_for(lambda: page.wait_for_timeout(100) or frames[-1] < 20_000)
        frames.clear()
        zoomed = page.evaluate(
            "window.fmnistPlotly.relayout(document.querySelector('.live .accuracy'), {'xaxis.range': [5, 9]}).then("
            "(chart) => (window.kept = chart).layout.xaxis.range)"
        )
        for step in range(5_100, 5_130, 10):
            store.record(id, points(step, 10), images_per_second=100.0, artifacts={})
            wait_for(lambda last=step + 9: drawn(last))
        assert frames and max(frames) < 20_000, "more came than the component and some points"
        assert page.evaluate("window.kept.isConnected && window.kept.layout.xaxis.range") == zoomed
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Data").click()
        page.get_by_text("What do the models learn from?").wait_for()
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Train").click()
        wait_for(lambda: drawn(5_129))  # A new chart, which has nothing yet.
        store.finish(id, "cancelled")
    visitor.check()


@dataclass(frozen=True)
class Prefixed:
    """The dashboard as the world sees it below a prefix that nginx strips."""

    proxy: Proxy

    @property
    def url(self) -> str:
        return f"http://localhost:{self.proxy.stripping}{PREFIX}"


def test_pages_work_below_a_stripped_prefix_and_in_a_browser_without_idle_callbacks(proxy, browser, small_data):
    """A notebook server's proxy strips one; Safari has no requestIdleCallback."""
    somebody = Visitor(browser, Prefixed(proxy), viewport={"width": 1400, "height": 1100})
    somebody.context.add_init_script("delete window.requestIdleCallback")
    with closing(Store(proxy.runs / "fmnist.db")) as store:
        id = running_run(store, Recipe("2", 8, "sample", 50), small_data, alone=True)
        page = somebody.open("?data=Sample+data")
        assert page.evaluate("window.requestIdleCallback") is None
        page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for()
        page.wait_for_function("window.fmnistPlotly")  # For Train, where most people go next.
        page.get_by_test_id("stMain").get_by_role("link", name="Train").click()
        before = wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2"))
        grown = [Point("train", step, 1, step / 10, 1.0, 0.5) for step in range(100, 105)]
        store.record(id, grown, images_per_second=100.0, artifacts={})
        wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2") == before + len(grown))
        page = somebody.open("Train")  # The address itself, as a bookmark or a reload has it.
        wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2") == before + len(grown))
        store.finish(id, "cancelled")
    page = somebody.open("Predict?data=Sample+data&how=Test+image")
    page.get_by_text("What the models see").wait_for()
    page = somebody.open("Predict?data=Sample+data&how=Draw")
    page.locator("canvas.upper-canvas").wait_for()
    somebody.check()
    somebody.close()


def test_what_can_not_be_loaded_is_said_in_the_place_of_the_curves(proxy, visitor, small_data):
    with closing(Store(proxy.runs / "fmnist.db")) as store:
        id = running_run(store, Recipe("2", 9, "sample", 50), small_data, alone=True)
        files = re.compile(r"/PlotlyChart\.")
        visitor.page.route(files, lambda route: route.abort())
        page = visitor.open("Train")
        said = page.get_by_role("alert").filter(has_text="The curves can't be drawn")
        said.wait_for()
        assert re.search(r"drawn: https://\S+/static/js/\S+ could not be loaded\. Reload the page", said.inner_text())
        visitor.page.unroute(files)
        page = visitor.open("Train")
        wait_for(lambda: page.wait_for_timeout(100) or points_drawn(page).get("Model 2"))
        assert not page.locator(".live [role=alert]").is_visible()
        store.finish(id, "cancelled")


def test_a_picture_is_uploaded_and_answered(visitor, small_data):
    page = visitor.open("Predict?data=Sample+data&how=Upload")
    picture = to_png(small_data.test_images[0], 10)
    page.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    page.get_by_text("What the models see").wait_for()
    bars = page.locator("table.bars")
    for index, model in enumerate(ARCHITECTURES.values()):
        bars.nth(index).wait_for()
        assert bars.nth(index).get_attribute("aria-label").startswith(model.name)
    visitor.check()


def test_uploads_are_as_large_as_allowed_and_not_larger(proxy):
    with proxy.client("Predict", "how=Upload") as client:
        assert client.upload(bytes(19 * 2**20)) == 204
        assert client.upload(bytes(22 * 2**20)) == 413
    assert ask(proxy, "/", "POST", bytes(2**17)).status == 413


def test_plain_http_is_sent_to_https(proxy):
    connection = http.client.HTTPConnection("localhost", proxy.plain)
    connection.request("GET", "/Train?seeds=1", headers={"Host": "localhost"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, f"{proxy.url}/Train?seeds=1")


def test_what_no_browser_needs_is_closed(proxy):
    for path in ("metrics", "script-health-check", "agent", "agent/openapi.json"):
        assert ask(proxy, f"/_stcore/{path}").status == 404
    assert ask(proxy, "/_stcore/health").status == 200
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(proxy, "/", host="evil.example")


def test_a_page_of_somebody_else_can_not_use_a_viewers_browser_to_look(proxy):
    address = proxy.url.replace("https", "wss") + "/_stcore/stream"
    with pytest.raises(InvalidStatus) as refused, connect(address, ssl=trusting(), origin="https://evil.example"):
        pass
    assert refused.value.response.status_code == 403


def test_viewers_are_counted_by_their_address_whatever_they_say_it_is(proxy):
    """Each may have three runs; a client that claims to come from elsewhere has no more."""
    with closing(Store(proxy.runs / "fmnist.db")) as store:

        def train(seeds: int, source: str, **headers: str) -> int:
            before = len(store.runs("queued"))
            with proxy.client("Train", ASKED.format(seeds), source=source, headers=headers) as client:
                client.run({client.seen["train"].id: PRESSED})
                refused = any("At most 3 of your runs" in text for text in client.said)
            added = len(store.runs("queued")) - before
            assert refused == (not added)
            return added

        assert train(1, "127.0.0.2") == 2
        assert train(2, "127.0.0.2") == 0
        assert train(2, "127.0.0.2", **{"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"}) == 0
        assert train(2, "127.0.0.3") == 2
        assert train(3, "127.0.0.3") == 0
        store.request_stop([run.id for run in store.runs("queued")])


def test_one_address_has_only_so_many_open_pages_and_logins(proxy):
    address = proxy.url.replace("https", "wss") + "/_stcore/stream"
    options = {"ssl": trusting(), "origin": proxy.url, "subprotocols": ["streamlit"], "open_timeout": 60}
    with ExitStack() as open_pages, pytest.raises(InvalidStatus) as refused:
        for _ in range(21):
            open_pages.enter_context(connect(address, source_address=("127.0.0.9", 0), **options))
    assert refused.value.response.status_code == 429
    with ThreadPoolExecutor(8) as threads:  # Eleven, and one more each second.
        answers = threads.map(lambda _: ask(proxy, "/auth/login").status, range(40))
        assert 429 in answers
