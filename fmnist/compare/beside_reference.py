"""What own runs say beside the reference runs of the same models: sentences of Markdown. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from fmnist.compare.sentences import differences_by_id, is_better, say_dead, say_points, say_share
from fmnist.compare.statistics import Difference
from fmnist.models.registry import ARCHITECTURES
from fmnist.words import escape, listed


def beside_each_other(groups: pd.DataFrame) -> list[tuple[pd.Series, pd.Series]]:
    """Own groups, each with the reference of its model: of the same recipe, where there is one.

    Args:
        groups: columns source, model and recipe; a row each.
    """
    rows = [row for _, row in groups.iterrows()]
    found = []
    for own in rows:
        rivals = [row for row in rows if row["source"] == "reference" and row["model"] == own["model"]]
        if own["source"] == "own" and rivals:
            found.append((own, next((row for row in rivals if row["recipe"] == own["recipe"]), rivals[0])))
    return found


def conclusion(groups: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """Which model is the most accurate here and there, and whether own runs differ from the reference.

    Args:
        groups: `summarise`'s columns, and id and name; of both sources, with at least one pair.
        runs: columns group (an id), seed and accuracy.
    """
    best, reference = (
        groups.loc[groups.loc[groups["source"] == source, "accuracy_mean"].idxmax()] for source in ("own", "reference")
    )
    here, there = (say_share(row["accuracy_mean"]) for row in (best, reference))
    own = groups[groups["source"] == "own"]
    here_alone, found = differences_by_id(own, runs), differences_by_id(groups, runs)
    rivals = own[own["id"] != best["id"]]
    unsure = [row for _, row in rivals.iterrows() if not is_better(here_alone, best["id"], row["id"])]
    level = [row["name"] for row in unsure if say_share(row["accuracy_mean"]) == here]
    unsure = [row["name"] for row in unsure if row["name"] not in level]
    named = listed([f"**{best['name']}**", *level])
    name = escape(ARCHITECTURES[reference["model"]].name)
    if best["recipe"] == reference["recipe"] and best["model"] == reference["model"] and not level:
        verb = "reaches" if groups["model"].nunique() == 1 else "is the most accurate on average:"
        first = f"{named} {verb} **{here}** in your runs, {there} in the reference runs."
    elif len(groups) == 2:  # One model by two recipes.
        first = f"{named} reaches **{here}** in your runs, {name} {there} in the reference runs."
    else:
        first = f"The most accurate on average: {named} in your runs (**{here}**), {name} in the reference "
        first += f"runs ({there})."
    deaths = [say_dead(groups)] if groups["dead"].any() else []
    doubt = [f"Among your runs that may be chance: there is no clear difference from {listed(unsure, 'or')}."]
    return [first, *(doubt if unsure else []), *_say_pairs(groups, found), *deaths]


def _say_pairs(groups: pd.DataFrame, found: Mapping[tuple[object, object], Difference | None]) -> list[str]:
    """Of each pair, whether the test tells own runs from the reference: `found` of `differences_by_id`."""
    sentences, alike, few = [], [], []
    for own, reference in beside_each_other(groups):
        difference = found.get((own["id"], reference["id"])) or found.get((reference["id"], own["id"]))
        if difference is None or not difference.tested:
            few.append(own["name"])
        elif not difference.seen:
            alike.append(own["name"])
        else:
            ahead = is_better(found, own["id"], reference["id"])
            first, second = ("Your runs", "the reference") if ahead else ("The reference", "your runs")
            beat = "beat" if ahead else "beats"
            points = say_points(abs(difference.mean))
            sentences.append(f"{first} of {own['name']} {beat} {second} by {points} points.")
    if alike:
        sentences.append(f"For {listed(alike)}, there is no clear difference between your runs and the reference.")
    if few:
        sentences.append(f"For {listed(few)}, there are too few runs to compare yours with the reference.")
    return sentences
