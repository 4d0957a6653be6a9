"""What came out of a training, in a sentence or two for each model: accuracy, time, and beside the reference runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from fmnist.compare.sentences import say_share
from fmnist.compare.summary import usual_seconds
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.words import escape, listed

MAX_LINES = 6  # Of a sweep, the most accurate settings.


def outcomes(
    library: Library, runs: Sequence[Run], name: Callable[[Run], str], time: Callable[[float], str]
) -> list[str]:
    """What to say of runs that have just been trained: lines of Markdown, one for each model or setting, in order.

    Args:
        runs: finished ones on the same data, at least one.
        name: of what a run shares with its other seeds, for people.
        time: seconds as people say them.
    """
    groups: dict[Recipe, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe.group(), []).append(run)
    known = {group.recipe: group.runs for group in library.groups(runs[0].recipe.dataset, "reference")}
    shown = sorted(groups, key=lambda recipe: _mean(groups[recipe]), reverse=True)[:MAX_LINES]
    lines = [
        say_outcome(escape(name(members[0])), members, known.get(recipe, ()), time)
        for recipe, members in groups.items()
        if recipe in shown
    ]
    if len(groups) > MAX_LINES:
        lines.append(f"These are the {MAX_LINES} most accurate of {len(groups):,} settings.")
    if known and not any(recipe in known for recipe in shown):
        published = next(iter(known)).describe()
        lines.append(f"The reference runs were trained differently ({published}), so there is nothing to compare with.")
    return lines


def _mean(runs: Sequence[Run]) -> float:
    return fmean(run.finished_result.accuracy_to_choose_by for run in runs)


def say_outcome(name: str, runs: Sequence[Run], reference: Sequence[Run], time: Callable[[float], str]) -> str:
    """What came out of a model: Markdown.

    Args:
        name: as Markdown.
        runs: finished ones that differ by their seed alone, at least one.
        reference: runs by the same recipe that come with the project; may be none.
    """
    accuracies = [run.finished_result.accuracy_to_choose_by for run in runs]
    right = "of the held-out images right" if runs[0].recipe.validation else "right"
    took = time(usual_seconds(runs))
    failed = [run for run in runs if run.finished_result.dead]
    if len(runs) == 1 and failed:
        return f"**{name}** failed to learn: it answers {_only_class(failed)} for every image. Try another seed."
    if len(runs) == 1:
        said = [f"**{name}**: **{say_share(accuracies[0])}** {right}, trained in {took}."]
    else:
        spread = f"{say_share(min(accuracies))} to {say_share(max(accuracies))}"
        average = f"**{say_share(_mean(runs))}** {right} on average over {len(runs)} runs ({spread})"
        timed = "" if len({run.conditions for run in runs}) == 1 else " (those timed alike)"
        said = [f"**{name}**: {average}, trained in {took} each on average{timed}."]
    if failed:
        seeds = listed(str(run.recipe.seed) for run in failed)
        said.append(
            f"{len(failed)} of them failed to learn (seed{'s' if len(failed) > 1 else ''} {seeds}), answering "
            f"{_only_class(failed)} for every image; the average includes this."
        )
    learned = [run for run in runs if run not in failed]
    if beside := _beside(learned, reference):
        others = "The other one: " if len(learned) == 1 else "The others: "
        said.append(f"{others}{beside}" if failed else beside[0].upper() + beside[1:])
    return " ".join(said)


def _only_class(runs: Sequence[Run]) -> str:
    """The class that runs which failed to learn answer, if it is the same one."""
    classes = runs[0].recipe.info.classes
    answered = {
        name for run in runs for label, name in enumerate(classes) if label not in run.finished_result.never_predicted
    }
    return answered.pop() if len(answered) == 1 else "the same class"


def _beside(runs: Sequence[Run], reference: Sequence[Run]) -> str:
    """How runs that have learned compare with reference runs that have, in the figures that are printed."""
    alive = [run for run in reference if not run.finished_result.dead]
    if not runs or not alive:
        return ""
    mine, *theirs = (round(100 * _mean(some), 1) for some in (runs, *([run] for run in alive)))
    low, high = min(theirs), max(theirs)
    if len(alive) == 1:
        those, lowest, highest = f"the reference run ({low:.1f}%)", "", ""
    else:
        those, lowest, highest = (
            f"{len(alive)} reference runs ({low:.1f}% to {high:.1f}%)",
            "the lowest of ",
            "the highest of ",
        )
    if mine < low:
        where = f"{low - mine:.1f} points below {lowest}{those}"
    elif mine > high:
        where = f"{mine - high:.1f} points above {highest}{those}"
    else:
        where = f"within the range of {those}" if lowest else f"the same as {those}"
    return f"{'on average ' if len(runs) > 1 else ''}{where}."
