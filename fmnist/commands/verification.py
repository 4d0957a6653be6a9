"""Is what the store holds of a finished run still true? Everything that can be computed again is; the rest has a seal.

From the data and the weights follow the logits and the predicted classes, from the logits the loss, from the predicted
classes the other figures of the result, from the predictions after each epoch the curve of test accuracy, from recipe
and data the steps. What follows from nothing that is stored - times,
points of the training curve, weights on which no answer depends - is compared with the seal that the run was given
when it ended (`fmnist.store.checksums`). Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fmnist.commands.recomputation import Check, as_text, check_run
from fmnist.commands.verdict import Verdict
from fmnist.data.files import Dataset
from fmnist.store import checksums
from fmnist.store.library import Library
from fmnist.store.run import Result, Run


def verify(library: Library, source: str, id: int, load: Callable[[str], Dataset]) -> Verdict:
    """Check all that is stored of a run that has ended.

    Args:
        source: of the run's store in the library, "own" or "reference".
        load: gives the data set with a name.

    Raises:
        DataError: from `load`.
        StoreError: the store can't be read.
    """
    store = library.stores[source]
    contents, kept = store.contents(id)
    run = store.run(id)
    address = str(id) if source == "own" else f"{source}-{id}"
    check = Check(contents, Verdict(address, run.name if run else "a run of an unknown model"))
    if run:
        check_run(check, library, run, load(run.recipe.dataset))
        _check_key(check, run, load(run.recipe.dataset), kept)
    elif faults := Result.faults(contents):
        for name in faults:
            check.fail(name, f"stored {as_text(contents.get(name))}, which no result has.", contents.get(name))
    elif what := store.damage(id):
        check.fail("row", f"{what}.")
    elif kept and kept.get("recipe") == checksums.sums(contents)["recipe"]:
        check.remark("This program does not have its model: nothing could be computed again.")
    else:
        check.fail("recipe", "no recipe of this program.")
    _check_seal(check, kept)
    return check.verdict


# --- Key and seal ---


def _check_key(check: Check, run: Run, dataset: Dataset, kept: dict[str, str] | None) -> None:
    """The key follows from recipe, data and code. Code may change in the life of a store: the seal tells."""
    key = run.recipe.key(dataset.fingerprint)
    now = checksums.sums({name: check.contents[name] for name in ("key", "recipe")})
    if kept and key != run.key and all(kept.get(name) == sum_ for name, sum_ in now.items()):
        check.remark("The data, the model's code or the training loop are not those it was made with: see its key.")
    else:
        check.equal("key", key, "from recipe, data and code")


def _check_seal(check: Check, kept: dict[str, str] | None) -> None:
    """Each thing shall have the sum that it had when the run ended."""
    if kept is None:
        check.remark(
            "It has no checksums, so its times, the points of its training curve, and weights on which no answer "
            "depends can't be checked for changes."
        )
        return
    if not kept:
        check.fail(checksums.NAME, "damaged: nothing can be compared with it.")
        return
    check.verdict.sealed = len(kept)
    now = checksums.sums(check.contents)
    changed = {name for name in kept | now if kept.get(name) != now.get(name)}
    # A changed logit makes the loss disagree: here it is said which of them was changed.
    check.verdict.disagreements = [
        replace(
            found,
            sentence=f"{found.sentence} {'Changed' if found.figure in changed else 'Unchanged'} since the run ended.",
            changed=found.figure in changed,
        )
        for found in check.verdict.disagreements
    ]
    for name in sorted(changed - {found.figure for found in check.verdict.disagreements}):
        stored = check.contents.get(name)
        if name not in now:
            words = "missing; it was there when the run ended."
        elif name not in kept:
            words = "it was not there when the run ended."
        elif isinstance(stored, bytes):
            words = "changed since the run ended."
        else:
            words = f"stored {as_text(stored)}, changed since the run ended."
        check.fail(name, words, stored, changed=True)
