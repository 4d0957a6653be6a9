"""Make the reference runs again: python -m fmnist.reference.make [--data PATH]   (some minutes; needs FashionMNIST)

Trains the three models by the published recipe with seeds 0 to 4, with the same command line that users have, and
writes reference.db and README.md beside this file; and what shows the runs to somebody who has not downloaded the data:
FashionMNIST's test images and labels, as they are published, ten of them as a picture, and what its training images
look like (`unfamiliar.Familiarity`). With --keep-runs only what shows them, in seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fmnist import __main__ as command_line
from fmnist.compare.summary import comparison
from fmnist.data import examples, files
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.folders import packed, raw_folder
from fmnist.predict import unfamiliar
from fmnist.predict.conversion import to_png
from fmnist.store.library import Library
from fmnist.store.store import REFERENCE, Store, store_path

README = REFERENCE.parent / "README.md"
SEEDS = range(5)
TEXT = """# Reference runs

The three models, trained with the published recipe ({recipe}) and seeds {seeds} on all 60,000
images of FashionMNIST, and tested on its 10,000 test images. `reference.db` is a store like your own: recipes, curves,
weights (safetensors), test logits (float16), the classes predicted after each epoch (those of the float32 logits), and
the checksums of each run, which `python -m fmnist verify` compares.

Made on {date} on {machine}, {versions}, with

    python -m fmnist.reference.make --data PATH

which runs `python -m fmnist train --seeds N` for each seed, so that no run shares the machine with another. On the same
machine with the same versions, the weights are the same, bit for bit; on others, the figures differ a little.

{table}
"""
COLUMNS = ("model", "seeds", "mean accuracy", "standard deviation", "lowest", "highest", "training")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    parser.add_argument("--keep-runs", action="store_true", help="make only what is shown with them")
    options = parser.parse_args()
    accompany(options.data)
    if options.keep_runs:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = store_path(folder)
        for seed in SEEDS:
            command = ["train", "--seeds", str(seed), "--runs", str(path), "--data", str(options.data)]
            if code := command_line.main(command):
                return code
        condense(path, REFERENCE)
    README.write_text(describe(REFERENCE), encoding="utf-8")
    return 0


def accompany(root: Path) -> None:
    """Put beside the runs what shows them where the data were not downloaded.

    Raises:
        DataError: the data are not in this data root, or not the published ones.
    """
    with tempfile.TemporaryDirectory() as cache:
        data = files.load(DEFAULT, root, Path(cache))
    for file in DATASETS[DEFAULT].test_files:
        shutil.copyfile(packed(raw_folder(DEFAULT, root), file), packed(files.SHIPPED, file))
    ten = to_png(examples.strip(data, examples.EXAMPLES))
    (files.SHIPPED / f"{DEFAULT}-examples.png").write_bytes(ten)
    unfamiliar.save(unfamiliar.learn(data), unfamiliar.shipped_path(DEFAULT))


def condense(source: Path, target: Path, only: Sequence[int] | None = None) -> None:
    """Copy a store into one file that can be opened read-only, without what belongs to the machine it was made on.

    Args:
        only: the ids of the runs that are wanted. Default: all.
    """
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as db:
        db.execute("VACUUM INTO ?", (str(target),))
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")  # With a run go its curves and weights.
        db.execute("UPDATE runs SET data_root = ''")
        if only is not None:
            db.execute("DELETE FROM runs WHERE id NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(only)),))
        db.execute("PRAGMA journal_mode = DELETE")  # WAL would make files beside it at each opening.
        db.execute("VACUUM")


def describe(path: Path) -> str:
    """The text that goes with the runs."""
    run = Store(path, read_only=True).runs()[-1]  # Of the model that needs the most.
    assert run.finished
    return TEXT.format(
        recipe=run.recipe.describe(),
        seeds=f"{SEEDS[0]}-{SEEDS[-1]}",
        date=datetime.fromtimestamp(run.finished, UTC).date().isoformat(),
        machine=run.machine,
        versions=", ".join(f"{name} {version}" for name, version in run.versions.items()),
        table=table(path),
    )


def table(path: Path, *, with_recipes: bool = False) -> str:
    """What came out, a row for each model, or for each of its recipes: Markdown."""
    found = comparison(Library(Store(path, read_only=True), reference=None), "own")
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for _, row in found.iterrows():
        threads = row["runs"][0].threads
        shares = [f"{row[f'accuracy_{name}']:.2%}" for name in ("mean", "std", "min", "max")]
        where = f"{row['device']}, {threads} thread{'s' if threads > 1 else ''}"
        name = f"{row['name']}, {row['described']}" if with_recipes else row["name"]
        cells = [name, str(len(row["seeds"])), *shares, f"{row['train_seconds']:.1f} s ({where})"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
