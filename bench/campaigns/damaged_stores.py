"""What does a damaged store do?  python -m bench.campaigns.damaged_stores [--count 30] [--seed 0]

A store with four trained runs is copied, and damaged: a value of one run or setting is replaced, every column of every
table in turn; or bytes of the file are flipped, or its end is cut off. Then every page and the commands that only read
look at it. None may show a traceback or change the file, each error is one sentence, and where one value is damaged,
every other run is shown.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from fmnist import __main__ as cli
from fmnist import settings
from fmnist.store.library import Library
from fmnist.store.schema import NEEDED
from fmnist.training import launcher
from fmnist.ui import resources

# AppTest reads of each installed package, for each dashboard anew, whether it has components.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

PAGES = ("1_Train", "2_Compare", "3_Confusion", "4_Predict", "5_Data")
VALUES: Sequence[object] = (
    *("yesterday", "{", "{}", "[]", "null", "", "9" * 400, "é\n# *", b"\xff\x00\xfe", b""),
    *(-1, 0, 2**62, 1.5, 9e99, float("inf"), None),
)
TRAINED = (("0", "0,1"), ("1", "0"), ("2", "0"))
"""Models and seeds of the store's runs, ids 1 to 4."""


def make(path: Path) -> None:
    """Train the runs that are damaged later."""
    for models, seeds in TRAINED:
        order = ["train", "--quiet", "--dataset", "sample", "--models", models, "--seeds", seeds, "--epochs", "1"]
        if cli.main([*order, "--runs", str(path)]):
            raise RuntimeError("the store could not be made")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def columns() -> list[tuple[str, str]]:
    """Every column of every table."""
    return [(table, column) for table, names in sorted(NEEDED.items()) for column in sorted(names)]


def replace_value(path: Path, number: int, chance: random.Random) -> tuple[str, set[int]]:
    """Replace a value of the first run, or of a setting; what was done, and the ids of the runs that must be shown."""
    every = columns()
    table, column = every[number % len(every)]
    key = {"runs": "id = 1", "settings": "1"}.get(table, "run = 1")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        every_run = {id for (id,) in db.execute("SELECT id FROM runs")}
        if table == "settings":
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('data_root', '/nowhere')")
            db.commit()
        rows = db.execute(f"SELECT count(*) FROM {table} WHERE {key}").fetchone()[0]
        row = chance.randrange(rows)
        for value in chance.sample(VALUES, len(VALUES)):
            place = {"runs": "id", "settings": "name"}.get(table, "(run, split, step)")
            place = "(run, name)" if table == "artifacts" else place
            one = f"{place} = (SELECT {place.strip('()')} FROM {table} WHERE {key} LIMIT 1 OFFSET {row})"
            with contextlib.suppress(sqlite3.IntegrityError), db:  # Not every value is taken: then another one.
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {one}", (value,))
                break
        else:
            return f"{table}.{column} takes nothing else", every_run
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"{table}.{column} = {value!r:.40}", every_run - (set() if table == "settings" else {1})


def damage_bytes(path: Path, number: int, chance: random.Random) -> str:
    """Flip bytes of the file, or cut it; what was done."""
    content = bytearray(path.read_bytes())
    if number % 5 == 4:
        end = chance.randrange(len(content))
        path.write_bytes(content[:end])
        return f"cut to {end:,} of {len(content):,} bytes"
    # Most of a file is weights: half of the attacks are on its beginning, with the schema and the rows.
    low, high = (0, len(content)) if number % 2 else (100, min(40_000, len(content)))
    places = [chance.randrange(low, high) for _ in range(chance.choice((1, 20, 400)))]
    for place in places:
        content[place] = chance.randrange(256)
    path.write_bytes(content)
    return f"{len(places)} bytes between {low:,} and {high:,}"


def look(path: Path, shown: set[int] | None) -> Iterator[str]:
    """Open every page and call every reading command; what is wrong with what they show.

    Args:
        path: the store's file.
        shown: the ids of the runs that have to be listed; None where nothing is known of that.
    """
    before = path.read_bytes()
    picture = path.with_name("picture.png")
    Image.linear_gradient("L").resize((28, 28)).save(picture)  # Larger, its item would be looked for: half a second.
    commands = (
        *(("runs", "list", "--json"), ("runs", "show", "1"), ("compare", "--json"), ("verify", "1"), ("verify", "2")),
        ("predict", picture, "--dataset", "sample", "--json"),
        ("train", "--dataset", "sample", "--epochs", "1", "--dry-run"),
        ("export", "2", "--to", "csv", "--force", "--out", path.with_name("out")),
    )
    for command in commands:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main([*map(str, command), "--runs", str(path)])
            except Exception as error:
                yield f"{' '.join(map(str, command[:2]))}: {type(error).__name__}: {error}"
                continue
        if "Traceback" in err.getvalue():
            yield f"{' '.join(map(str, command[:2]))}: a traceback"
        if shown and command[1] == "list":
            missing = shown - {run["id"] for run in json.loads(out.getvalue() or "[]")}
            if missing:
                yield f"runs list leaves out {sorted(missing)}: {err.getvalue()[:200]}"
    yield from _look_at_pages(path, shown)
    if path.read_bytes() != before:
        yield "the file was changed"


def _look_at_pages(path: Path, shown: set[int] | None) -> Iterator[str]:
    os.environ["FMNIST_RUNS"] = str(path)
    launcher.start = lambda store: None  # The Train page would start a trainer.
    resources.Library = partial(Library, reference=None)  # type: ignore[assignment, attr-defined]  # They would be shown instead.
    page = AppTest.from_file(str(settings.PROJECT / "dashboard.py"), default_timeout=90)
    with contextlib.redirect_stderr(io.StringIO()):
        for name in ("Dashboard", *PAGES):
            if name != "Dashboard":
                page.switch_page(f"pages/{name}.py")
            page.run()
            if page.exception:
                yield f"{name}: {page.exception[0].value[:200]}"
            if any("\n" in error.value for error in page.error):
                yield f"{name}: an error of several lines"
            if shown and name in ("2_Compare", "3_Confusion") and not page.multiselect:
                yield f"{name} shows nothing"


def attack(original: Path, kind: str, number: int, seed: int = 0) -> tuple[str, list[str]]:
    """Damage a copy of a store, and look at it; what was done, and what is wrong with what is shown.

    Args:
        kind: "values" or "bytes".
    """
    chance = random.Random(f"{kind} {number} {seed}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "fmnist.db"
        shutil.copy(original, path)
        for images in original.parent.glob("sample-*.npz"):
            shutil.copy(images, folder)
        shown = None
        if kind == "values":
            done, shown = replace_value(path, number, chance)
        else:
            done = damage_bytes(path, number, chance)
        return done, list(look(path, shown))


def main() -> int:
    """Attack, and print what came of it; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30, help="stores of each kind")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        original = Path(folder) / "fmnist.db"
        make(original)
        for kind in ("values", "bytes"):
            # At least once each column.
            for number in range(max(asked.count, len(columns())) if kind == "values" else asked.count):
                done, faults = attack(original, kind, number, asked.seed)
                wrong += bool(faults)
                print(f"{kind} {number}: {done}: {'; '.join(faults) or 'fine'}", flush=True)
    print(f"{wrong} stores were not dealt with.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
