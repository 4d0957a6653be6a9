"""What accuracy costs, in sentences: which models are worth it, and which times can't be compared. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from fmnist.compare.cost_charts import ELSEWHERE, Cost
from fmnist.compare.sentences import differences_by_id, is_better, say_share
from fmnist.compare.statistics import EQUAL, Difference
from fmnist.compare.summary import frontier
from fmnist.words import listed


def say_cost(groups: pd.DataFrame, runs: pd.DataFrame, cost: Cost) -> str:
    """Which groups are worth their cost, and which ones are beaten on both: Markdown; nothing of one group.

    It names what it speaks of where that is not all, what it leaves out, and which lead in accuracy may be chance.

    Args:
        groups: columns id, name, accuracy_mean, comparable (bool) and the cost's.
        runs: columns group (an id), seed and accuracy.
    """
    if len(groups) < 2:
        return ""
    known = cost.compared(groups)
    alike = groups[known]
    left_out = say_unknown(groups, cost) + _say_left_out(groups[~known & groups[cost.column].notna()], ELSEWHERE)
    if len(alike) < 2:
        none = f"{cost.name}: no two models can be compared."
        return " ".join([none, *left_out])
    best = frontier(alike[cost.column], alike["accuracy_mean"])
    worth = alike[best].sort_values(cost.column)
    said = [
        f"{row['name']} ({say_share(row['accuracy_mean'])} for {cost.say(row[cost.column])})"
        for _, row in worth.iterrows()
    ]
    sentence = f"worth their cost: **{'**, **'.join(said)}**."
    if len(worth) == 1:
        sentence = f"**{said[0]}** {_say_best(alike, worth.iloc[0], cost)}."
    whole = sentence[0].upper() + sentence[1:]
    said = [f"Among {listed(alike['name'])}, {sentence}" if left_out else whole]
    found = differences_by_id(groups, runs)
    said += _say_beaten(alike[~best], worth, cost, found)
    for (_, cheaper), (_, dearer) in pairwise(worth.iterrows()):
        if not is_better(found, dearer["id"], cheaper["id"]) and dearer["accuracy_mean"] > cheaper["accuracy_mean"]:
            said.append(f"That {dearer['name']} is more accurate than {cheaper['name']} may be chance.")
    return " ".join([*said, *left_out])


def _say_best(groups: pd.DataFrame, best: pd.Series, cost: Cost) -> str:
    """What can be said of the only group that is worth its cost; of others that are its equals in one of the two, that
    they are."""
    as_cheap = (groups[cost.column].map(cost.say) == cost.say(best[cost.column])).sum()
    as_accurate = (best["accuracy_mean"] - groups["accuracy_mean"] < EQUAL).sum()
    cheap, accurate = "is the cheapest", "has the highest mean accuracy"
    if as_cheap > 1:
        cheap = "costs as much as the others" if as_cheap == len(groups) else "is among the cheapest"
    if as_accurate > 1:
        accurate = "is as accurate as the others" if as_accurate == len(groups) else "is among the most accurate"
    return f"{cheap} and {accurate}"


def _say_beaten(
    beaten: pd.DataFrame, worth: pd.DataFrame, cost: Cost, found: Mapping[tuple[object, object], Difference | None]
) -> list[str]:
    """Which groups are beaten on both, and of which of equal cost that may be chance (`found`: `differences_by_id`)."""
    names: list[str] = []
    alike: list[str] = []
    for _, row in beaten.iterrows():
        cheaper = (worth[cost.column] < row[cost.column]) & (worth["accuracy_mean"] >= row["accuracy_mean"])
        sure = cheaper.any() or any(is_better(found, id, row["id"]) for id in worth["id"])
        (names if sure else alike).append(row["name"])
    said = []
    if names:
        verb, each = ("is", "") if len(names) == 1 else ("are", "for each of them, ")
        said.append(
            f"{listed(names)} {verb} not worth it: {each}another model is at least as accurate and no more expensive."
        )
    if alike:
        verb = "costs" if len(alike) == 1 else "cost"
        said.append(f"{listed(alike)} {verb} the same as a model whose higher mean accuracy may be chance.")
    return said


def say_unknown(groups: pd.DataFrame, cost: Cost) -> list[str]:
    """Which groups have no value of a cost, so that its picture leaves them out: a sentence, if there are any."""
    return _say_left_out(groups[groups[cost.column].isna()], f"{cost.name.lower()} {cost.unknown}")


def _say_left_out(groups: pd.DataFrame, reason: str) -> list[str]:
    return [f"Left out: {listed(groups['name'])} ({reason})."] if len(groups) else []


def say_apart(groups: pd.DataFrame) -> list[str]:
    """Why some times can't be compared: a sentence for each group that is apart.

    Args:
        groups: columns name, conditions and comparable (bool).
    """
    usual = groups.loc[groups["comparable"], "conditions"].iloc[0]
    return [
        f"{row['name']} was timed on {row['conditions']}, not on {usual}."
        for _, row in groups[~groups["comparable"]].iterrows()
    ]
