"""More epochs for a finished run: a new run that goes on from its weights, instead of one that starts again.

For a run whose steps depend on its weights alone (`Recipe.needs_weights_alone`) nothing else has to be kept for that,
and so it can be done for as long as the run is there. The new run gets what the finished one has measured, and a
checkpoint made of its weights: it stands in the queue as one that was stopped after so many epochs, and ends with the
weights that it would have had from the start, bit for bit.
"""

from __future__ import annotations

import json
import sqlite3

from fmnist.store import checksums
from fmnist.store.artifacts import AT_ONCE, predictions_name
from fmnist.store.run import Run


def go_on_from(db: sqlite3.Connection, id: int, earlier: Run) -> None:
    """Have a queued run go on from a finished one of fewer epochs; in the transaction that queues it. If that one is
    no longer what it was when it ended, the queued one starts from the beginning.

    Args:
        id: of the queued run, of a recipe that differs by its number of epochs alone.
    """
    kept = checksums.contents(db, earlier.id)
    if checksums.sums(kept) != checksums.read(db, earlier.id):  # Deleted, or changed since it ended.
        return
    checkpoint = as_checkpoint(kept["weights"], earlier)
    split, epochs = earlier.recipe.evaluated_on, earlier.recipe.epochs
    db.execute(
        "INSERT INTO history (run, split, step, epoch, seconds, loss, accuracy) "
        "SELECT ?, split, step, epoch, seconds, loss, accuracy FROM history WHERE run = ? AND split IN ('train', ?)",
        (id, earlier.id, split),
    )
    for epoch in range(1, epochs + 1):
        db.execute(
            "INSERT INTO artifacts (run, name, data) SELECT ?, name, data FROM artifacts WHERE run = ? AND name = ?",
            (id, earlier.id, predictions_name(split, epoch)),
        )
    at_once = str(earlier.finished_result.at_once).encode()
    for name, data in (("checkpoint", checkpoint), (AT_ONCE, at_once)):
        db.execute("INSERT INTO artifacts (run, name, data) VALUES (?, ?, ?)", (id, name, data))
    # By the versions it is known whether compiled kernels go on.
    db.execute("UPDATE runs SET step = ?, versions = ? WHERE id = ?", (earlier.steps, json.dumps(earlier.versions), id))


def as_checkpoint(weights: bytes, run: Run) -> bytes:
    """The weights of a finished run as `training.checkpoint` reads them. Without torch: the tensors stay as they are,
    their names and the numbers stand in the header (https://github.com/huggingface/safetensors, "Format")."""
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    header.pop("__metadata__", None)
    result = run.finished_result
    numbers = {"epoch": run.recipe.epochs, "train_seconds": result.train_seconds, "eval_seconds": result.eval_seconds}
    named = {f"model.{name}": place for name, place in header.items()}
    text = json.dumps({"__metadata__": {"numbers": json.dumps(numbers)}, **named}).encode()
    text += b" " * (-len(text) % 8)  # The tensors begin at a multiple of eight.
    return len(text).to_bytes(8, "little") + text + weights[8 + length :]
