"""Runs that an earlier version of this program finished, counted from their weights.

Earlier versions counted from logits rounded to float16, where the first of several equally large ones was taken: by up
to 0.04 points another accuracy than that of the weights. A store that is upgraded marks its finished runs
(`Run.rounded`), which takes no time, needs neither data nor PyTorch, and leaves them usable as they are. Where the test
images are at hand, the marked ones are counted again, here: by a process beside the dashboard when it opens the store
(`start`), and by the commands that work with weights anyhow.

Of a run only its predicted classes change, and what is counted over them at its end; and nothing, if its weights do
not give its logits or if somebody has changed it: `python -m fmnist verify` says so. What was predicted after earlier
epochs stays, for there are no weights of it.

python -m fmnist.predict.recount --runs PATH
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from fmnist import background, metrics, settings
from fmnist.data import files
from fmnist.data.files import DataError, TestSet
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.settings import SettingsError
from fmnist.store.arrays import rounded
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import Store, StoreError, store_path
from fmnist.words import LOG_LINE, LOG_TIME

LOGIT_STEPS = 2
"""By how many float16 steps, those at an image's largest logit, a logit may differ from what the weights give here.

On processors of the same kind none differs. Others add up in another order: of the 1,500,000 logits of the reference
runs, made with AVX-512, at most 97 of a run's 100,000 came out otherwise with AVX2 or SSE instructions, none of them by
more than one such step, all of them Model 2's. GPUs were not measured. A smaller change by hand breaks the seal."""

log = logging.getLogger("fmnist.predict.recount")


def start(store: Store, log_file: Path) -> None:
    """Count the marked runs of a store in a process of its own; nothing if there are none, or nothing may be written.

    Args:
        log_file: where that process adds what it has to say.
    """
    if store.writable and store.rounded_ids():
        with suppress(OSError):  # Then they stay as they are.
            background.detach(*settings.module("fmnist.predict.recount"), "--runs", str(store.path), log=log_file)


def recount(store: Store, load: Callable[[str], TestSet], ids: Iterable[int] | None = None) -> int:
    """Count the marked runs of a store that can be counted; how many there were.

    Args:
        load: gives the test images of the data set with a name, or raises DataError.
        ids: only these; None: all.
    """
    library, count = Library(store, reference=None), 0
    wanted = store.rounded_ids() if store.writable else []
    for id in wanted if ids is None else sorted({*wanted} & {*ids}):
        run = store.run(id)
        if run is None:
            continue  # Of a model that is not here, or damaged.
        try:
            dataset = load(run.recipe.dataset)
            predictions = _predictions(library, run, dataset)
        except DataError:
            continue
        except (StoreError, ModelError, RuntimeError) as error:
            log.info("run %d stays as it is: %s", id, error)
            continue
        if predictions is None:
            log.info("run %d stays as it is: its weights do not give its logits", id)
        elif store.recount(run, predictions, dataset.test_labels):
            count += 1
    return count


def _predictions(library: Library, run: Run, dataset: TestSet) -> np.ndarray | None:
    """The classes that a run's weights predict, uint8 (N,); None if its logits are not those of its weights."""
    from fmnist.models import inference  # Imports torch, which is not needed where there are no data.
    from fmnist.predict import prediction

    stored, model = library.logits(run), prediction.load_model(library, run)
    architecture, images = ARCHITECTURES[run.recipe.model], inference.as_input(dataset.test_images)
    with architecture.blamed():
        logits = inference.evaluate(model, images, architecture.parts)
    if stored.shape != logits.shape or differing(stored, rounded(logits)).any():
        return None
    return metrics.decide(stored, logits)


def differing(stored: np.ndarray, recomputed: np.ndarray) -> np.ndarray:
    """Where logits, both float16 (N, 10), differ by more than the rounding of another processor: bool (N, 10)."""
    difference = np.abs(stored.astype(np.float64) - recomputed)
    step = np.spacing(np.abs(recomputed).max(axis=1, keepdims=True)).astype(np.float64)
    return ~(difference <= LOGIT_STEPS * step)  # Also where one is not a number.


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m fmnist.predict.recount", description=(__doc__ or "").partition("\n")[0]
    )
    # Given as a text, the default is read only where no other is named: FMNIST_RUNS may be wrong.
    parser.add_argument("--runs", type=store_path, default="", help="the store's file")
    logging.basicConfig(level=logging.INFO, format=LOG_LINE, datefmt=LOG_TIME)
    try:
        path = parser.parse_args(arguments).runs
        store = Store(path)
        custom.refresh(path.parent)
        count = recount(store, lambda name: files.load_test_set(name, store.data_root(name), path.parent))
    except (StoreError, SettingsError) as error:
        log.error("%s", error)
        return 1
    log.info("%d runs of an earlier version counted from their weights", count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
