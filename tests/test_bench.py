"""The benches' own tools: the full stores that they measure with, and the numbers in docs/measurements.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.common import cpu_seconds, descendants, kill, wait
from fmnist.store.library import Library
from fmnist.store.store import Store, store_path


@pytest.mark.parametrize("count", [7, 45])
def test_a_filled_store_holds_that_many_runs_of_twenty_recipes(tmp_path, count):
    pages = pytest.importorskip("bench.pages", reason="Playwright is not installed")
    pages.fill(store_path(tmp_path), count)
    store = Store(store_path(tmp_path))
    runs = store.finished()
    assert len(runs) == store.count() == count
    assert len({run.recipe.group() for run in runs}) == min(count, pages.RECIPES)
    assert store.logits(count).shape == (10_000, 10)
    assert store.weights(count)
    assert len(store.history([count], "test")) == runs[-1].recipe.epochs
    assert len(store.newest_request()) == (count - 1) % pages.BATCH + 1
    assert len(Library(store, None).groups("fashion-mnist", "own")) == min(count, pages.RECIPES)


@pytest.mark.parametrize("name", bench.NAMES)
def test_each_bench_says_what_it_asks_and_how(name):
    question, _, how = bench.about(name).partition("?** ")
    assert question.startswith("**")
    assert how.endswith(f" (`python bench/{name}.py`)")


def test_only_what_is_between_the_markers_is_replaced(tmp_path, monkeypatch):
    document = tmp_path / "measurements.md"
    monkeypatch.setattr(bench, "MEASUREMENTS", document)
    document.write_text(f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n")
    bench.write(["one", r"two \1"])
    assert document.read_text() == f"before\n{bench.BEGIN}\n\none\n\ntwo \\1\n\n{bench.END}\nafter\n"


def test_without_markers_nothing_is_written(tmp_path, monkeypatch):
    document = tmp_path / "measurements.md"
    monkeypatch.setattr(bench, "MEASUREMENTS", document)
    document.write_text("no place")
    with pytest.raises(bench.BenchError, match="no place for the results"):
        bench.write(["one"])
    assert document.read_text() == "no place"


def test_where_the_document_is_missing_none_is_made(tmp_path, monkeypatch):
    document = tmp_path / "measurements.md"
    monkeypatch.setattr(bench, "MEASUREMENTS", document)
    with pytest.raises(bench.BenchError, match="no place for the results"):
        bench.write(["one"])
    assert not document.exists()


def test_the_document_has_a_place_for_the_numbers():
    text = bench.MEASUREMENTS.read_text(encoding="utf-8")
    assert text.count(bench.BEGIN) == text.count(bench.END) == 1


def test_waiting_ends():
    with pytest.raises(TimeoutError, match="waited 0 s for something"):
        wait(lambda: False, "something", seconds=0.1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux only")
def test_processes_of_a_process_are_found_and_ended():
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    process = subprocess.Popen([sys.executable, "-c", child])
    wait(lambda: len(descendants(process.pid)) == 1, "the grandchild")
    assert cpu_seconds(process.pid) < 10
    kill([*descendants(process.pid), process.pid])
    assert process.wait(timeout=60)
