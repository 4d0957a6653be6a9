"""What several tests of commands need."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmnist.predict.conversion import to_png


@pytest.fixture
def shirt(tmp_path: Path, small_data) -> Path:
    """A test image as a file."""
    path = tmp_path / "shirt.png"
    path.write_bytes(to_png(small_data.test_images[0]))
    return path
