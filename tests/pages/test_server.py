"""A real server: what it loads, and when."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.browser import served
from helpers.client import Client
from helpers.making import three_models

from fmnist.store.store import Store


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_the_server_loads_torch_when_somebody_predicts_and_not_before(tmp_path, small_sample):
    runs = tmp_path / "runs"
    store = Store(runs / "fmnist.db")
    three_models(store, small_sample, weights=True, dataset="sample")
    store.close()
    sample = "data=Sample+data"
    with served(runs, tmp_path / "no-data") as server:
        for page in ("", "Train", "Compare", "Confusion", "Data", "Predict"):
            with Client(server.url, page, sample) as client:
                assert client.said, f"/{page} is not shown"
            assert not loads_torch(server.process.pid), f"/{page} loaded torch"
        with Client(server.url, "Predict", f"{sample}&how=Test+image") as client:
            assert any("What the models see" in text for text in client.said)
        assert loads_torch(server.process.pid)


def loads_torch(pid: int) -> bool:
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "python" in maps or sys.executable in maps
    return "libtorch" in maps
