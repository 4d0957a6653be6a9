"""safetensors: the weights of each run as they are kept, and one model card for all of them."""

from __future__ import annotations

from pathlib import Path

from fmnist.export import card
from fmnist.export.chosen import Chosen, file_name

WITHOUT_DATA = "The test images are not at hand: the card has no recall of each class and no checksum of the data."


def write(chosen: Chosen, folder: Path) -> list[str]:
    """A .safetensors file for each run, and README.md."""
    (folder / "README.md").write_text(card.write(chosen), encoding="utf-8")
    for run in chosen.runs:
        (folder / f"{file_name(run)}.safetensors").write_bytes(chosen.library.weights(run))
    return [] if all(chosen.data(run) for run in chosen.runs) else [WITHOUT_DATA]
