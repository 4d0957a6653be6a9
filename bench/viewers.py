"""How much do viewers slow a training down?  python bench/viewers.py [--viewers 0,1,20] [--repeats 3]

Model 2 is trained for an epoch while a number of people look at the Train page. Each training has a new server, whose
Train page has been opened before, and a new scheduler, which has trained before. The viewers are not browsers, whose
own work would be measured too, but clients of the server in a process of their own: they open the page and ask for
what a browser asks for, as often. Medians over the repeats; slow-down and growth are taken within a repeat.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect  # Streamlit brings it.
from websockets.typing import Origin, Subprotocol

from bench.browser import Server, server
from bench.common import cpu_seconds, show, wait
from fmnist.data import files
from fmnist.recipe import Recipe
from fmnist.store.run import ACTIVE, Run, Status
from fmnist.store.store import Store, store_path

SLOWER, GROWTH = 0.10, 60  # Bounds; the latter in MB.
MIN_UPDATES = 0.4  # The curves that a viewer must have got in a second; of 20, each looks every 2 s.
LONGEST = 600.0  # Seconds that viewers stay at most, and that a training may take.


# --- The viewers, in a process of their own ---


@dataclass
class Viewer:
    """What a browser does for the Train page, without drawing anything."""

    messages: int = 0
    curves: int = 0  # New points for the chart.
    page: str = ""
    cached: set[str] = field(default_factory=set)
    timers: dict[str, tuple[float, asyncio.Task[None]]] = field(default_factory=dict)  # by fragment

    async def watch(self, url: str) -> None:
        """Open the page and stay, until cancelled or disconnected."""
        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        protocols = [Subprotocol("streamlit")]
        async with connect(address, subprotocols=protocols, max_size=None, origin=Origin(url)) as server:
            try:
                await self.ask(server)
                async for packed in server:
                    self.take(server, ForwardMsg.FromString(packed))
            finally:
                self.forget_timers()

    async def ask(self, server: ClientConnection, fragment: str = "", pause: float = 0) -> None:
        """Ask for the page; or for a part of it, again and again."""
        while True:
            await asyncio.sleep(pause)
            message = BackMsg()
            rerun = message.rerun_script
            if fragment:
                rerun.fragment_id, rerun.is_auto_rerun, rerun.page_script_hash = fragment, True, self.page
            else:
                rerun.page_name = "Train"
            rerun.cached_message_hashes.extend(self.cached)
            await server.send(message.SerializeToString())
            if not fragment:
                return

    def take(self, server: ClientConnection, message: ForwardMsg) -> None:
        self.messages += 1
        if message.metadata.cacheable:
            self.cached.add(message.hash)
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.page = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            self.repeat(server, message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.repeat(server, fragment, 0)
        elif kind == "delta" and message.delta.new_element.bidi_component.component_name == "fmnist_live_chart":
            self.curves += 1

    def repeat(self, server: ClientConnection, fragment: str, interval: float) -> None:
        """Ask for a part of the page as often as this from now on; 0 for no more."""
        known, timer = self.timers.pop(fragment, (0.0, None))
        if timer and known != interval:
            timer.cancel()
            timer = None
        if interval:
            self.timers[fragment] = interval, timer or asyncio.create_task(self.ask(server, fragment, interval))

    def forget_timers(self) -> None:
        for _, timer in self.timers.values():
            timer.cancel()


async def crowd(url: str, count: int, pipe: Connection) -> list[Viewer]:
    """So many viewers, until the other end says so; they tell it when each has the page."""
    viewers = [Viewer() for _ in range(count)]
    tasks = [asyncio.create_task(viewer.watch(url)) for viewer in viewers]
    told, deadline = False, time.monotonic() + LONGEST
    while not pipe.poll() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        gone = next((task for task in tasks if task.done()), None)
        if gone:
            raise ConnectionError("a viewer lost its connection") from gone.exception()
        if not told and all(viewer.timers for viewer in viewers):
            told = True
            pipe.send("there")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return viewers


def serve(url: str, count: int, pipe: Connection) -> None:
    """What the viewers' process does; at the end it tells what each got, and what it cost here."""
    viewers = asyncio.run(crowd(url, count, pipe))
    pipe.send(([viewer.curves for viewer in viewers], sum(viewer.messages for viewer in viewers), time.process_time()))


@dataclass
class Watched:
    """What the viewers of a training tell at its end."""

    curves: list[int] = field(default_factory=list)
    messages: int = 0
    cpu_seconds: float = 0.0


@contextmanager
def viewers(url: str, count: int) -> Iterator[Watched]:
    """Viewers on the Train page for the time of a block; what they tell is there after it.

    Raises:
        ConnectionError: they failed, or do not answer.
    """
    watched = Watched()
    if not count:
        yield watched
        return
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, count, there), daemon=True)
    process.start()
    there.close()
    try:
        _answer(here)
        yield watched
        here.send("enough")
        watched.curves, watched.messages, watched.cpu_seconds = _answer(here)
        process.join(10)
    finally:
        process.kill()
        here.close()


def _answer(pipe: Connection) -> Any:
    try:
        if pipe.poll(60):
            return pipe.recv()
    except EOFError:
        pass
    raise ConnectionError("the viewers' process failed")


# --- The training that they watch ---


@dataclass(frozen=True)
class Measured:
    """A training and its viewers."""

    train_seconds: float
    wall_seconds: float
    memory: float  # MB, at most while it was trained
    growth: float  # MB since before the viewers came
    server_cpu: float  # seconds, while it was trained
    viewers_cpu: float  # seconds, from their first to their last moment
    updates: float  # a second and viewer, of the viewer who got the fewest


def train(store: Store, recipe: Recipe, root: Path, dashboard: Server) -> tuple[Run, float]:
    """Train it; the run, and the most memory that the server had meanwhile."""
    [(id, _)] = store.enqueue([(recipe, recipe.key("bench"))], root)
    most = 0.0

    def done() -> bool:
        nonlocal most
        most = max(most, dashboard.memory)
        return not store.runs(*ACTIVE)

    wait(done, "the trainer: see its log", LONGEST)
    run = store.run(id)
    assert run and run.status == Status.DONE, f"the training {run and run.status}: see the trainer's log"
    return run, most


def measure(count: int, seed: int, root: Path) -> Measured:
    """Train Model 2 for an epoch before so many viewers.

    Raises:
        RuntimeError: the viewers did not get the curves: then nothing is measured.
    """
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), root) as dashboard:
        store = Store(store_path(folder))
        with viewers(dashboard.url, 1):  # Starts the trainer, and has the server import what the page needs.
            train(store, Recipe("0", seed, epochs=1, device="cpu"), root, dashboard)
        dashboard.calm()
        before = dashboard.memory
        with viewers(dashboard.url, count) as watched:
            time.sleep(2)
            used = cpu_seconds(dashboard.pid)
            run, most = train(store, Recipe("2", seed, epochs=1, device="cpu"), root, dashboard)
            used = cpu_seconds(dashboard.pid) - used
        store.close()
    assert run.started and run.finished
    wall = run.finished - run.started
    updates = min(watched.curves) / wall if count else 0.0
    if count and updates < MIN_UPDATES:
        raise RuntimeError(f"a viewer got only {updates:.1f} updates of the curves a second")
    return Measured(run.finished_result.train_seconds, wall, most, most - before, used, watched.cpu_seconds, updates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--viewers", default="0,1,20", help="how many, the first to be compared with")
    parser.add_argument("--repeats", type=int, default=3, help="trainings before each number of viewers, in turn")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    counts = [int(count) for count in options.viewers.split(",")]
    rounds = [{count: measure(count, seed, options.data) for count in counts} for seed in range(options.repeats)]

    def median(count: int, name: str) -> float:
        return statistics.median(getattr(measured[count], name) for measured in rounds)

    def row(count: int) -> list[str]:
        slower = statistics.median(each[count].train_seconds / each[counts[0]].train_seconds - 1 for each in rounds)
        share = count * median(count, "wall_seconds") / 60 or 1
        return [
            f"{count}",
            f"{median(count, 'train_seconds'):.2f} s",
            f"{slower:+.0%}",
            f"{median(count, 'wall_seconds'):.1f} s",
            f"{median(count, 'memory'):.0f} MB",
            f"{median(count, 'growth'):.0f} MB",
            f"{median(count, 'server_cpu') / share:.1f} s" if count else "",
            f"{median(count, 'updates'):.1f}" if count else "",
            f"{median(count, 'viewers_cpu'):.1f} s" if count else "",
        ]

    header = ["viewers", "training", f"slower (bound {SLOWER:.0%})", "from start to end", "server's memory"]
    header += [f"its growth (bound {GROWTH} MB)", "server's CPU per viewer and minute", "updates per viewer and second"]
    show([*header, "CPU of the viewers themselves"], map(row, counts))


if __name__ == "__main__":
    main()
