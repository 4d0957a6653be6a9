"""Of each campaign in bench/campaigns a few attacks; the rest is run by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.campaigns import damaged_stores
from fmnist.ui import resources


@pytest.mark.parametrize("kind", ["values", "bytes"])
@pytest.mark.parametrize("number", range(5))
def test_a_damaged_store_is_shown_as_far_as_it_can_be_read(kind, number, trained_once: Path, monkeypatch, tmp_path):
    monkeypatch.setattr(damaged_stores.scheduler, "start", lambda store: None)
    monkeypatch.setattr(resources, "Library", resources.Library)  # What the attack changes is put back.
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path))
    # Columns from all tables: artifacts come first, runs in the middle.
    done, faults = damaged_stores.attack(trained_once, kind, number * 8, seed=1)
    assert not faults, done
