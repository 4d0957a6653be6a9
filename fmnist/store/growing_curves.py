"""The curves of runs that are being trained: of what was read before, only what was added since is read."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from fmnist.store.reading import StoreReader

MAX_HELD = 64  # Curves; one of 300 epochs takes 0.7 MB.
READINGS = itertools.count(time.time_ns() // 1_000_000)  # Not those of an earlier process, which a browser may know.


@dataclass(frozen=True)
class GrowingCurve:
    """A curve as far as it has come."""

    reading: int  # Stays the same as long as points were only added.
    points: np.ndarray  # float64 (N, 4): step, seconds, loss, accuracy


class GrowingCurves:
    """The curves of a store's runs, for all who look at them. Safe to share between threads."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store
        self._mutex = threading.Lock()
        self._held: OrderedDict[tuple[int, str], GrowingCurve] = OrderedDict()

    def curve(self, id: int, split: str) -> GrowingCurve:
        """The curve of a run as it is now, for one of `SPLITS`."""
        with self._mutex:
            before = self._held.pop((id, split), None)
            self._held[id, split] = now = self._read(id, split, before)
            if len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
            return now

    def _read(self, id: int, split: str, before: GrowingCurve | None) -> GrowingCurve:
        if before is not None and len(before.points):
            last = before.points[-1]
            added = self._store.curve(id, split, first=int(last[0]))
            # A run that went on from its checkpoint has forgotten what came after it, and is as slow again or slower.
            if len(added) and np.array_equal(added[0], last):
                if len(added) == 1:
                    return before
                return GrowingCurve(before.reading, np.concatenate([before.points, added[1:]]))
        return GrowingCurve(next(READINGS), self._store.curve(id, split))
