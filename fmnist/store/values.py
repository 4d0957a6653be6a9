"""Is a value what it should be? Of what is read from a store, a file or JSON, before anything is computed with it."""

from __future__ import annotations

import sys
from typing import TypeGuard

LATEST = 4e9  # The year 2096, in seconds: far from where dates overflow.
LARGEST = 1e15
"""More than any time or loss of a result can be; sums and squares of thousands are still numbers."""
FINITE = sys.float_info.max


def is_number(value: object, low: float = -LARGEST, high: float = LARGEST) -> TypeGuard[float]:
    """Whether it is a finite number within these bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_whole(value: object, low: int = 0, high: int = 2**53) -> TypeGuard[int]:
    """Whether it is a whole number within these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value, 0, 1)


def is_time(value: object) -> bool:
    """Whether it is a Unix time that can be shown."""
    return is_number(value, 0, LATEST)
