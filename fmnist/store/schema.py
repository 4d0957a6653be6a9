"""The SQL schema of a store, and what brings stores of earlier versions to it."""

from __future__ import annotations

import sqlite3

from fmnist.store.run import SPLITS, Status

APPLICATION_ID = 0x464D4E53  # "FMNS": tells our files from other SQLite files.
SCHEMA_VERSION = 5
ROUNDED_SINCE, LABELS_SINCE = 3, 4
"""The versions from which on `runs.rounded` and the table `labels` are there. A store that is only read may be of an
earlier one."""

# What a user writes about a run. It is not in `runs`: a finished run never changes.
LABELS = """CREATE TABLE labels (
    run  INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,
    note TEXT NOT NULL
)"""
# The runs of the last deletion, which can be undone: `deletion.py`.
DELETED = """CREATE TABLE deleted (
    run       INTEGER PRIMARY KEY,
    deleted   REAL NOT NULL,  -- Unix time
    row_of_it TEXT NOT NULL   -- of the table runs, as JSON
)"""
HISTORY = f"""CREATE TABLE history (
    run      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    split    TEXT NOT NULL CHECK (split IN {SPLITS}),
    step     INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    seconds  REAL NOT NULL,                 -- of training since the run began
    loss     REAL NOT NULL,
    accuracy REAL NOT NULL,
    PRIMARY KEY (run, split, step)
) WITHOUT ROWID"""
SCHEMA = f"""
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT NOT NULL,               -- Recipe.key: what the cache looks for
    recipe     TEXT NOT NULL,               -- JSON
    data_root  TEXT NOT NULL,               -- the folder from which its data are read
    status     TEXT NOT NULL DEFAULT '{Status.QUEUED}'
               CHECK (status IN ('{"', '".join(Status)}')),
    priority   INTEGER NOT NULL,            -- smaller is trained first
    stop       INTEGER NOT NULL DEFAULT 0,  -- somebody asked the running run to stop
    created    REAL NOT NULL,               -- Unix times
    started    REAL,
    updated    REAL,
    finished   REAL,
    device     TEXT,                        -- where it runs: "cpu" or a GPU's name
    threads    INTEGER,
    machine    TEXT,                        -- the processor's name
    versions   TEXT,                        -- JSON: python, torch ...
    parameters INTEGER,
    multiply_adds INTEGER,
    steps      INTEGER,                     -- of the whole run
    step       INTEGER NOT NULL DEFAULT 0,  -- done so far
    images_per_second REAL,
    result     TEXT,                        -- JSON, once done
    error      TEXT,                        -- a sentence
    cluster    TEXT,                        -- the address of the Ray cluster that shall train it, if not this machine
    node       TEXT,                        -- where on the cluster it runs
    rounded    INTEGER NOT NULL DEFAULT 0   -- 1: counted from rounded logits, by an earlier version: predict/recount.py
);
CREATE INDEX runs_by_key ON runs (key);
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX runs_rounded ON runs (id) WHERE rounded;
{HISTORY};
CREATE TABLE artifacts (
    run  INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,                     -- weights | logits | checkpoint | answers | predictions/<epoch> | seal,
                                            -- and of held-out images validation/logits, ../labels, ../predictions/...
    data BLOB NOT NULL,
    PRIMARY KEY (run, name)
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
{LABELS};
{DELETED};
"""

NEEDED = {
    "runs": {
        *("id", "key", "recipe", "data_root", "status", "priority", "stop", "created", "started", "updated"),
        *("finished", "device", "threads", "machine", "versions", "parameters", "multiply_adds", "steps", "step"),
        *("images_per_second", "result", "error"),
    },
    "history": {"run", "split", "step", "epoch", "seconds", "loss", "accuracy"},
    "artifacts": {"run", "name", "data"},
    "settings": {"name", "value"},
}
"""The columns that a store of every version has."""

UPGRADES = {
    1: ("ALTER TABLE runs ADD COLUMN cluster TEXT", "ALTER TABLE runs ADD COLUMN node TEXT"),
    2: (
        "ALTER TABLE runs ADD COLUMN rounded INTEGER NOT NULL DEFAULT 0",
        f"UPDATE runs SET rounded = 1 WHERE status = '{Status.DONE}'",
        "CREATE INDEX runs_rounded ON runs (id) WHERE rounded",
    ),
    3: (LABELS, DELETED),
    4: (  # SQLite can't change what a column is checked for.
        "ALTER TABLE history RENAME TO history_before",
        HISTORY,
        "INSERT OR IGNORE INTO history SELECT run, split, step, epoch, seconds, loss, accuracy FROM history_before",
        "DROP TABLE history_before",
    ),
}
"""What makes a store of the next version of one of this version."""

# Made when it is first needed: a store in which nobody counts has none, nor has one of an earlier version.
ASKERS = """
CREATE TABLE IF NOT EXISTS askers (
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    who TEXT NOT NULL  -- settings.Asker.who
)
"""


def make(db: sqlite3.Connection) -> None:
    """Our tables in an empty database."""
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def upgrade(db: sqlite3.Connection) -> None:
    """Bring a store of an older version to ours. One that is only read stays as it is: readers do without."""
    db.execute("BEGIN IMMEDIATE")  # Another process may be doing the same.
    for version in range(db.execute("PRAGMA user_version").fetchone()[0], SCHEMA_VERSION):
        for statement in UPGRADES[version]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")
