"""FMNIST_READ_ONLY: look, compare and predict; and nothing else, whoever asks and however."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.answers import is_one_sentence
from helpers.browser import served
from helpers.client import PRESSED, Client, selected_rows
from helpers.data_files import keep_as_sample
from helpers.making import ended_run, finished_run, queued_run, running_run
from helpers.processes import commands, trainer_processes
from helpers.ui import PAGES, again, labels, live_curves, open_all_runs, says, visit

from fmnist import __main__ as cli
from fmnist import settings
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DEFAULT, SAMPLE
from fmnist.recipe import Recipe
from fmnist.store import store
from fmnist.store.run import Point
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher, scheduler
from fmnist.ui.timing_panel import Clock

REAL_DATA = files.data_root()  # Before a test puts another place there.
ASKED = {"models": "0,1", "dataset": "sample", "seeds": "3", "epochs": "1", "rate": "0.1", "batch": "32"}


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")


@pytest.fixture
def reader(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The same store, as a read-only dashboard in another process has it open."""
    with monkeypatch.context() as context:
        context.setenv("FMNIST_READ_ONLY", "1")
        opened = Store(store.path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "value, on",
    [("1", True), ("true", True), ("Yes", True), ("ture", True), ("", False), ("0", False), (" False ", False)],
)
def test_only_what_plainly_says_no_leaves_it_off(monkeypatch, value, on):
    monkeypatch.setenv("FMNIST_READ_ONLY", value)
    assert settings.read_only() == on
    monkeypatch.delenv("FMNIST_READ_ONLY")
    assert not settings.read_only()


# The store


def test_sqlite_itself_refuses_to_write(store, reader, small_sample):
    queued_run(store, Recipe("0", dataset="sample"), small_sample)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM runs")
    assert reader.count() == 1


def test_every_method_that_changes_something_says_why_it_does_not(store, small_sample, read_only):
    reader = Store(store.path)
    for change in (
        lambda: reader.enqueue([(Recipe("0"), "key")], Path("/")),
        lambda: reader.resume(1),
        lambda: reader.request_stop([1]),
        lambda: reader.delete(1),
        lambda: reader.claim(),
        lambda: reader.interrupt_running(),
        lambda: reader.set_setting("data_root", "/"),
        lambda: launcher.start(reader),
        lambda: launcher.recover(reader),
        lambda: Clock().start((), None, [], 1, 1),
    ):
        with pytest.raises(StoreError) as refused:
            change()
        assert "view-only" in str(refused.value) and is_one_sentence(refused.value)
    reader.close()


def test_to_ask_for_a_trainer_changes_nothing_and_disturbs_none(store, read_only):
    reader, lock = Store(store.path), launcher.lock(store.path)
    before = sorted(store.path.parent.iterdir())
    assert not launcher.is_alive(reader)
    assert sorted(store.path.parent.iterdir()) == before
    with launcher.held(lock) as mine:
        assert mine and launcher.is_alive(reader)
    assert not launcher.is_alive(reader)
    reader.close()


def test_what_others_write_is_followed(store, reader, small_sample):
    recipe = Recipe("0", dataset="sample")
    id = running_run(store, recipe, small_sample)
    before = reader.change_counter()
    assert reader.run(id).status == "running"
    store.record(id, [Point("train", 9, 2, 1.0, 0.5, 0.5)], images_per_second=None, artifacts={})
    assert reader.change_counter() != before
    assert reader.history([id])["step"].max() == 9


def test_a_store_that_others_make_later_is_empty_until_then(runs_path, monkeypatch):
    with monkeypatch.context() as context:
        context.setenv("FMNIST_READ_ONLY", "1")
        reader = Store(runs_path)
    assert reader.runs() == [] and reader.setting("data_root") is None
    assert not runs_path.parent.exists(), "it made a folder"
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM runs")
    before = reader.change_counter()
    with closing(Store(runs_path)) as writer:
        assert reader.count() == 0
        writer.enqueue([(Recipe("0"), "key")], Path("/"))
        assert reader.count() == 1 and reader.change_counter() != before
        writer.enqueue([(Recipe("1"), "other")], Path("/"))
        assert reader.count() == 2
    reader.close()


def test_a_store_on_a_file_system_that_can_not_be_written_is_read_and_followed(small_disk, monkeypatch):
    path = small_disk / "fmnist.db"
    with closing(Store(path)) as writer:
        writer.enqueue([(Recipe("0"), "key")], Path("/"))
    remount(small_disk, "ro")
    with monkeypatch.context() as context:
        context.setenv("FMNIST_READ_ONLY", "1")
        reader = Store(path)
    assert reader.count() == 1
    assert not path.with_name("fmnist.db-wal").exists(), "there was a log to be had, so nothing was tried"
    before = reader.change_counter()
    remount(small_disk, "rw")
    with closing(Store(path)) as writer:
        writer.enqueue([(Recipe("1"), "other")], Path("/"))
        assert reader.count() == 2 and reader.change_counter() != before
    reader.close()


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True, capture_output=True)


def test_damaged_files_and_foreign_ones_are_told_in_a_sentence(tmp_path, read_only):
    path = tmp_path / "fmnist.db"
    path.write_bytes(b"no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="not a store of this program"):
        Store(path)


# What else could write


def test_data_are_neither_downloaded_nor_is_the_sample_kept(tmp_path, read_only, monkeypatch):
    with pytest.raises(files.DataError, match="view-only"):
        next(files.download(DEFAULT, tmp_path / "data"))
    monkeypatch.setitem(DATASETS, SAMPLE, replace(DATASETS[SAMPLE], train=20, test=20))
    assert len(files.load("sample", tmp_path, tmp_path / "cache").train_images) == 20
    assert list(tmp_path.iterdir()) == []


def test_a_trainer_does_not_begin(store, read_only, caplog):
    assert scheduler.main(["--runs", str(store.path), "--idle-seconds", "0"]) == 1
    assert "view-only" in caplog.text
    assert not store.path.with_name("fmnist.db.trainer.lock").exists()


@pytest.mark.parametrize(
    "command",
    [
        *("train", "time", "data download", "runs delete 1", "runs restore", "runs rename 1 --name x", "runs resume"),
        "runs import other.db",
    ],
)
def test_the_command_line_refuses_what_would_change_something(command, store, read_only, capsys):
    assert cli.main([*command.split(), "--runs", str(store.path)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("fmnist: This dashboard is view-only") and err.count("\n") == 1


def test_the_command_line_still_looks(store, small_sample, read_only, capsys):
    for command in (["runs", "list"], ["compare", "--reference"]):
        assert cli.main([*command, "--runs", str(store.path)]) == 0


# The pages


@pytest.fixture
def looking(store: Store, small_sample, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in which everything is found that has a button elsewhere, looked at by a read-only dashboard."""
    fill(store, small_sample)
    monkeypatch.setenv("FMNIST_DATA", str(store.path.parent / "no-data"))
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    return store


def fill(store: Store, small_data: files.Dataset) -> None:
    finished_run(store, Recipe("0", 0, "sample"), small_data)
    ended_run(store, Recipe("1", 0, "sample"), small_data, "interrupted")
    running_run(store, Recipe("2", 0, "sample"), small_data)
    for seed in (1, 2):
        queued_run(store, Recipe("0", seed, "sample"), small_data)


def test_train_shows_what_is_trained_and_offers_nothing(looking):
    at = visit(PAGES[1])
    assert says(at, "This dashboard is view-only")
    assert labels(at) == [] and not at.text_input and not at.number_input and not at.get("button_group")
    assert live_curves(at)["sample"]["runs"]
    assert says(at, "Queued: Model 0, seed 1, Model 0, seed 2") and says(at, "**Model 1, seed 0** · interrupted")
    at = open_all_runs(at)
    [table] = [table for table in at.dataframe if "status" in table.value.columns]
    assert len(table.value) == 5
    assert labels(at) == [] and [field.label for field in at.text_input] == ["Search"]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_a_link_or_a_button_that_leads_nowhere(page, looking, monkeypatch):
    at = visit(page)
    assert not at.error
    fetching = [f"Download {info.title}" for info in DATASETS.values()]  # Who may only look may take runs away.
    assert not any(word in label for label in labels(at) for word in ("Train", "Delete", "Time", "Stop", *fetching))
    links = [link.proto.label for link in at.get("page_link")]
    assert not [label for label in links if label.startswith("Train ")]
    for tab in ("Differences", "Time and size", "What went wrong") if page == PAGES[2] else ():
        at.session_state["tab"] = tab
        again(at)
        assert [link.proto.page for link in at.get("page_link")] == ["Confusion"], (
            "but the last line, nothing is linked"
        )
        assert "Time them again" not in labels(at)


def test_with_no_results_at_all_no_page_invites_to_train(runs_path, read_only, monkeypatch):
    from fmnist.store.library import Library
    from fmnist.ui import resources

    monkeypatch.setattr(resources, "Library", lambda own: Library(own, None))
    for page in PAGES[:5]:
        at = visit(page)
        assert not at.error and not any("Train the" in link.proto.label for link in at.get("page_link"))
    assert not runs_path.parent.exists()


# A client that does without the pages


@dataclass(frozen=True)
class Message:
    """What a client says: these widgets are set, of a page with this address or of a fragment of it."""

    page: str
    query: str
    widgets: dict[str, object]
    fragment: str = ""


def test_a_client_that_skips_the_buttons_changes_nothing(tmp_path, small_data, monkeypatch):
    """What changes a writable dashboard is sent to a read-only one, with the very names of its widgets."""
    tape = record(tmp_path / "writable", small_data)
    tape.append(Message("Train", "", {id_of_start_trainer(tmp_path / "apart", small_data, monkeypatch, tape): PRESSED}))

    folder = tmp_path / "read-only"
    with closing(Store(folder / "fmnist.db")) as store:
        fill(store, small_data)
        keep_as_sample(small_data, folder)
    before = everything_in(folder)
    with served(folder, folder, FMNIST_READ_ONLY="1", FMNIST_DATA=None) as server:
        for said in tape:
            with Client(server.url, said.page, said.query) as client:
                assert client.said, "the page is not shown"
                assert not {"train", "stop-all", "resume-2", "Delete", "download-and-train"} & set(client.seen)
                if said.fragment in client.fragments.values():
                    client.run(said.widgets, said.fragment)
                else:
                    client.send(said.widgets, said.fragment)
                client.run(said.widgets)
                if said.page == "Train":
                    assert any("This dashboard is view-only" in text for text in client.said)
                    assert "curves-sample" in client.seen
        with Client(server.url, "Predict") as client:
            client.upload(b"something")
            for method in ("POST", "PUT", "DELETE"):
                for path in ("", "Train", "media/x", "_stcore/upload_file", "fmnist.db"):
                    assert client.ask(method, path, b"x") in (404, 405)
        assert not children_of(server.process.pid)
        assert not trainer_processes(tmp_path)
    assert everything_in(folder) == before


def record(folder: Path, small_data: files.Dataset) -> list[Message]:
    """Train, stop, resume and delete on a writable dashboard, see that it does, and keep what was said for it."""
    tape: list[Message] = []

    def say(client: Client, values: dict[str, object], fragment: str = "") -> None:
        widgets = {client.seen[name].id: value for name, value in values.items()}
        tape.append(Message(client.page, client.query, widgets, fragment))
        client.run(widgets, fragment)

    with closing(Store(folder / "fmnist.db")) as store:
        fill(store, small_data)
        keep_as_sample(small_data, folder)
        query = "&".join(f"{name}={value}" for name, value in (ASKED | {"optimizer": "sgd"}).items())
        # With the trainer's lock taken no trainer begins: what is queued stays as it is.
        with (
            FileLock(folder / "fmnist.db.trainer.lock"),
            served(folder, folder, FMNIST_DATA=None) as server,
        ):
            with Client(server.url, "Train", "runs=true") as client:
                say(client, {"stop-3": PRESSED}, client.fragments["stop-3"])
                assert store.run(3).stop
                say(client, {"resume-2": PRESSED}, client.fragments["resume-2"])
                assert store.run(2).status == "queued"
                say(client, {"stop-all": PRESSED}, client.fragments["stop-all"])
                assert not store.runs("queued")
                client.run()
                [table] = [name for name in client.seen if name.startswith("all-runs")]  # It bears its runs' digest.
                say(client, {table: selected_rows(4), "Name and note": PRESSED})
                say(client, {"name-of-1": "Mine", "save-label": PRESSED}, client.fragments["save-label"])
                assert store.label(1).name == "Mine"
                say(client, {table: selected_rows(4), "Delete": PRESSED})
                say(client, {"really-delete": PRESSED}, client.fragments["really-delete"])
                assert store.run(1) is None
                client.run()
                [undo] = [name for name in client.seen if name.startswith("undo-")]  # It names the deletion.
                say(client, {undo: PRESSED}, client.fragments[undo])
                assert store.run(1)
                name, use = "Folder on the dashboard's machine", "FormSubmitter:folder-Use this folder"
                say(client, {name: str(REAL_DATA), use: PRESSED})
                assert store.setting("data_root") in (None, str(REAL_DATA))  # None where there are no data.
                tape.append(Message("Train", "", {client.seen["download-and-train"].id: PRESSED}))
            with Client(server.url, "Train", query) as client:
                say(client, {"train": PRESSED})
                assert len(store.runs("queued")) == 6
            with Client(server.url, "Compare", "tab=Time+and+size") as client:
                tape.append(Message("Compare", client.query, {client.seen["Time them again"].id: PRESSED}))
    return tape


def id_of_start_trainer(folder: Path, small_data: files.Dataset, monkeypatch: pytest.MonkeyPatch, tape: list) -> str:
    """The name of a button that no page shows here, worked out as the server does: by the page itself."""
    with monkeypatch.context() as context:
        context.setenv("FMNIST_RUNS", str(folder))
        context.setattr(launcher, "start", lambda runs: None)
        context.setattr(launcher, "is_alive", lambda runs: False)
        keep_as_sample(small_data, folder)
        with closing(Store(store.store_path())) as runs:
            for seed in (1, 2):
                queued_run(runs, Recipe("0", seed, "sample"), small_data)
        ids = {button.proto.id.split("-", 2)[-1]: button.proto.id for button in visit(PAGES[1]).button}
    assert {ids["stop-all"]} <= {id for said in tape for id in said.widgets}, "names are not worked out as the server's"
    return ids["start-trainer"]


def everything_in(folder: Path) -> dict[str, object]:
    """The store's rows, and the files beside it, but for those that SQLite needs to read."""
    with closing(sqlite3.connect(folder / "fmnist.db")) as db:
        rows = [repr(line) for line in db.iterdump()]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"rows": rows} | {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm"))
    }


def children_of(pid: int) -> list[int]:
    """The processes that a server has started."""
    return [child for child, (parent, _) in commands().items() if parent == pid]
