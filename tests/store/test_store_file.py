"""The file of a store: where it can't be used, read or written, a disk that is full, what is deleted and its space."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run
from store.test_store import add, finish, in_state, point

from fmnist.recipe import Recipe
from fmnist.store.run import Status
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher

# What can go wrong with the file


def refusal(path: Path, **options) -> str:
    with pytest.raises(StoreError) as refused:
        Store(path, **options).runs()
    assert is_one_sentence(refused.value)
    return str(refused.value)


def test_a_store_of_a_newer_version(store):
    add(store, Recipe("0"))
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    assert "newer version" in refusal(store.path)
    assert sqlite3.connect(store.path).execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "fmnist.db"
    path.write_text("Dear diary, " * 1000)
    assert "not a store of this program" in refusal(path)
    assert path.read_text() == "Dear diary, " * 1000


def test_a_database_of_another_program(tmp_path):
    path = tmp_path / "fmnist.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE runs (theirs)")
    before = path.read_bytes()
    assert "another program" in refusal(path)
    assert path.read_bytes() == before


def test_a_damaged_store(store):
    add(store, *(Recipe("0", seed) for seed in range(300)))
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    store.path.write_bytes(content)
    assert "damaged" in refusal(store.path)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    message = refusal(tmp_path / "file" / "runs" / "fmnist.db")
    assert "FMNIST_RUNS" in message and str(tmp_path / "file") in message


def test_a_link_to_a_store_is_that_store(store, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    [id] = add(store, Recipe("0"))
    store.claim()
    with closing(Store(link)) as same, launcher.held(launcher.lock(store.path)):
        assert launcher.is_alive(same), "else there would be two trainers"
        launcher.recover(same)
        assert same.run(id).status == "running"
    assert list(tmp_path.glob("link.db*")) == [link]


def test_a_link_to_nothing_makes_a_store_where_it_leads(tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "folder" / "fmnist.db")
    with closing(Store(link)) as made:
        assert made.path == tmp_path / "folder" / "fmnist.db" and made.path.is_file()


def test_a_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "fmnist.db").mkdir()
    assert "can't be opened" in refusal(tmp_path / "fmnist.db")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="The system's administrator may write all.")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    assert "FMNIST_RUNS" in refusal(tmp_path / "fmnist.db")


def fill(store: Store) -> None:
    """Write until there is no room."""
    id = store.runs()[0].id
    for number in range(10_000):
        store.record(id, [point(number + 1)], images_per_second=None, artifacts={f"{number}": os.urandom(20_000)})


def check_full_disk(store: Store) -> None:
    """A full disk is told in a sentence, and what was saved before is still there."""
    add(store, Recipe("0"))
    with pytest.raises(StoreError, match="disk is full") as refused:
        fill(store)
    assert is_one_sentence(refused.value)
    saved = store.history([1])["step"].tolist()
    assert saved == list(range(1, len(saved) + 1)) and len(saved) > 3
    assert all(store.artifact(1, str(step - 1)) is not None for step in saved)
    assert store.artifact(1, str(len(saved))) is None


def test_a_store_that_may_not_grow(store):
    store._db.execute("PRAGMA max_page_count = 200")
    check_full_disk(store)
    store._db.execute("PRAGMA max_page_count = 100000")
    assert store.record(1, [point(999)], images_per_second=None, artifacts={"more": bytes(20_000)})
    assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_full_disk(small_disk):
    store = Store(small_disk / "fmnist.db")
    check_full_disk(store)
    store.close()
    assert Store(small_disk / "fmnist.db", read_only=False).run(1).status == "queued"


# Read-only


@pytest.fixture(params=["DELETE", "WAL"])
def reference(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A finished store as it is shipped: one file, in a folder of its own."""
    finish(store, in_state(store, "running"))
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._db.execute(f"PRAGMA journal_mode = {request.param}")
    folder = tmp_path / "a folder #1 100%"
    folder.mkdir()
    return Path(shutil.copy(store.path, folder / "reference.db"))


def test_a_read_only_store_leaves_its_folder_alone(reference):
    before = reference.read_bytes(), reference.stat().st_mtime_ns
    store = Store(reference, read_only=True)
    (run,) = store.runs("done")
    assert store.logits(run.id).shape == (3, 10)
    assert list(reference.parent.iterdir()) == [reference]
    assert (reference.read_bytes(), reference.stat().st_mtime_ns) == before


def test_runs_bear_the_name_of_their_store_however_it_is_opened(reference):
    for read_only in (True, False):
        (run,) = Store(reference, read_only=read_only).runs()
        assert (run.source, run.address) == ("own", str(run.id))
        (run,) = Store(reference, read_only=read_only, source="reference").runs()
        assert (run.source, run.address) == ("reference", f"reference-{run.id}")


def test_a_read_only_store_cannot_be_written(reference):
    store = Store(reference, read_only=True)
    with pytest.raises(StoreError, match="can't be written"):
        add(store, Recipe("0", 5))
    assert len(store.runs()) == 1


def test_a_read_only_store_that_is_not_there(tmp_path):
    assert "can't be opened" in refusal(tmp_path / "reference.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_an_older_version_is_upgraded_after_a_copy(store, small_data):
    run = finished_run(store, Recipe("0", dataset="sample"), small_data)
    curves = store.history([run.id])
    store.close()
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("DROP INDEX runs_rounded")
        for column in ("cluster", "node", "rounded"):
            db.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        for table in ("labels", "deleted"):
            db.execute(f"DROP TABLE {table}")
        [[made]] = db.execute("SELECT sql FROM sqlite_master WHERE name = 'history'").fetchall()
        assert "('train', 'validation', 'test')" in made
        db.execute("ALTER TABLE history RENAME TO of_today")
        db.execute(made.replace("('train', 'validation', 'test')", "('train', 'test')"))
        db.execute("INSERT INTO history SELECT * FROM of_today")
        db.execute("DROP TABLE of_today")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    for _ in range(2):  # The second time nothing is left to do.
        with closing(Store(store.path)) as upgraded:
            assert upgraded.run(run.id) == replace(run, rounded=True)
            assert upgraded.labels() == {} and upgraded.last_deletion() is None
            assert upgraded.history([run.id]).equals(curves)
    with closing(Store(store.path)) as upgraded:
        other = finished_run(upgraded, Recipe("0", dataset="sample", validation=100), small_data)
        assert len(upgraded.history([other.id], "validation")) == 3
    [copy] = [path for path in store.path.parent.iterdir() if "version" in path.name]
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT key FROM runs").fetchall() == [(run.key,)]
        assert "cluster" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]


def test_what_a_process_that_was_killed_has_left_of_a_copy_hinders_no_upgrade(store):
    """In a container a process often has the number of the one before it."""
    add(store, Recipe("0"))
    store._db.execute("PRAGMA user_version = 4")
    store.close()
    copy = store.path.with_name("fmnist.db.version-4")
    left = copy.with_name(f"{copy.name}.{os.getpid()}")
    left.write_bytes(store.path.read_bytes()[:5000])
    with closing(Store(store.path)) as upgraded:
        assert len(upgraded.runs()) == 1
    assert not left.exists()
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_network_drive_that_has_no_locks_is_said_to_be_the_reason(store):
    error = sqlite3.OperationalError("locking protocol")
    error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL  # What SQLite raises there, and can't be had here.
    with pytest.raises(StoreError, match="network drive") as refused, store._explained():
        raise error
    assert is_one_sentence(refused.value) and "FMNIST_RUNS" in str(refused.value)


def with_weights(store: Store, count: int, megabytes: int) -> list[int]:
    """Runs that are stopped, with something large."""
    ids = [id for seed in range(count) for id in add(store, Recipe("0", seed))]
    for id in ids:
        store.claim()
        store.record(id, [], images_per_second=None, artifacts={"checkpoint": os.urandom(megabytes * 10**6)})
        store.finish(id, Status.CANCELLED)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ids


def test_what_is_deleted_frees_its_space_on_the_disk(store):
    first, second, third = with_weights(store, 3, megabytes=2)
    assert store.path.stat().st_size > 6e6
    store.delete(first, for_good=True)
    assert 4e6 < store.path.stat().st_size < 4.5e6
    [waiting] = add(store, Recipe("1"))
    store.delete(second, for_good=True)
    assert store.path.stat().st_size > 4e6, "whoever trains would have to wait"
    store.request_stop([waiting])
    store.delete(third)
    assert store.path.stat().st_size > 2e6, "it could not be brought back"
    store.make_deletion_final()
    assert store.path.stat().st_size < 1e6
    assert [run.id for run in store.runs()] == [waiting]


def test_a_store_in_which_somebody_reads_is_not_rewritten_and_the_run_is_deleted_all_the_same(store):
    first, _ = with_weights(store, 2, megabytes=2)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (2,)
        store._db.execute("PRAGMA busy_timeout = 0")
        assert store.delete(first)
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    assert len(store.runs()) == 1


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_store_that_is_gone_takes_nothing_more(store, how):
    [id] = add(store, Recipe("0"))
    for path in store.path.parent.glob("fmnist.db*"):
        path.unlink() if how == "deleted" else path.rename(path.with_suffix(".moved"))
    if how == "replaced":
        Store(store.path).close()
    for use in (lambda: store.run(id), lambda: store.set_setting("a", "b"), lambda: store.claim()):
        with pytest.raises(StoreError, match="The store is gone") as refused:
            use()
        assert is_one_sentence(refused.value) and str(store.path) in str(refused.value)
