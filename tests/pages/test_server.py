"""A real server: what it loads, and when."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.making import three_models
from helpers.ui import Visitor, chromium, served

from fmnist.store.store import Store


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_the_server_loads_torch_when_somebody_predicts_and_not_before(tmp_path, small_sample):
    runs = tmp_path / "runs"
    store = Store(runs / "fmnist.db")
    three_models(store, small_sample, weights=True, dataset="sample")
    store.close()
    sample = "?data=Sample+data"
    with chromium() as browser, served(runs, tmp_path / "no-data") as server:
        visitor = Visitor(browser, server)
        for path in (sample, "Train", f"Compare{sample}", f"Confusion{sample}", f"Data{sample}", f"Predict{sample}"):
            visitor.open(path)
            assert not loads_torch(server.process.pid), f"/{path} loaded torch"
        page = visitor.open(f"Predict{sample}&how=Test+image")
        page.get_by_text("What the models see").wait_for()
        assert loads_torch(server.process.pid)
        visitor.check()


def loads_torch(pid: int) -> bool:
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "python" in maps or sys.executable in maps
    return "libtorch" in maps
