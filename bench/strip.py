"""What do the answers to a dozen images cost a training?  python bench/strip.py [--pairs 10]

Each model is trained for an epoch in pairs, in turn: as the Train page has it done, which looks at a dozen test images
at most once a second, and without looking. Processor time of this process, with all its threads; the ratio is the
median over the pairs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.common import show
from fmnist.data import examples, files
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.training import loop

BOUND = 1.03


def cpu_seconds(model: str, data: Dataset, watched: Sequence[int]) -> float:
    """Processor time of an epoch."""
    began = time.process_time()
    for _ in loop.train(Recipe(model, epochs=1, device="cpu"), data, watched=watched):
        pass
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        data = files.load(DEFAULT, options.data, Path(cache))
    watched = examples.watched(data)
    rows = []
    for id in ARCHITECTURES.project:
        cpu_seconds(id, data, watched)  # What is done once is done.
        pairs = [(cpu_seconds(id, data, ()), cpu_seconds(id, data, watched)) for _ in range(options.pairs)]
        ratios = [looking / plain for plain, looking in pairs]
        plain = statistics.median(plain for plain, _ in pairs)
        ratio = statistics.median(ratios)
        rows.append(
            [ARCHITECTURES[id].name, f"{plain:.2f} s", f"{ratio:.3f}", f"{min(ratios):.3f} to {max(ratios):.3f}"]
        )
    show(["model", "without, processor time", f"with / without (bound {BOUND:g})", "from lowest to highest pair"], rows)


if __name__ == "__main__":
    main()
