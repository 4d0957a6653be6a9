"""The models side by side: what each is, and how it did, in a card; models of the user's in a line each."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence

import pandas as pd
import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.compare.cost_charts import COSTS, ELSEWHERE
from fmnist.compare.sentences import say_percent, say_share
from fmnist.compare.statistics import EQUAL
from fmnist.models.registry import ARCHITECTURES, Architecture
from fmnist.store.library import Group
from fmnist.ui import layer_diagram
from fmnist.words import digits

MAX_LINES = 5  # Of custom models; all of them stand in the table.
CSS = f"""
<style>
.models {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; overflow-x: auto; }}
@media (max-width: 800px) {{
  .models {{ grid-template-columns: repeat(3, min(300px, 84%)); scroll-snap-type: x proximity; padding-bottom: 6px; }}
  .models article {{ scroll-snap-align: start; }}
}}
.models article {{
  border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-top: 4px solid var(--model);
  border-radius: 8px; padding: 10px 14px 12px; min-width: 0;
}}
.models h2 {{ font-size: 1rem; font-weight: 600; line-height: 1.3; margin: 0; padding: 0; }}
.models .mark, .model-lines .mark {{
  display: inline-block; width: 11px; height: 11px; margin-right: 6px; background: var(--model);
}}
.models .circle {{ border-radius: 50%; }}
.models .diamond {{ transform: rotate(45deg) scale(0.85); }}
.models p {{ margin: 0; font-size: 0.85rem; line-height: 1.35; }}
.models .untrained {{ margin: 6px 0 8px; font-weight: 600; }}
.models .accuracy {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 10px; margin-top: 2px; }}
.models .accuracy b {{ font-size: 1.9rem; line-height: 1.25; font-weight: 700; }}
.models .best {{
  font-weight: 600; padding: 1px 8px; border-radius: 10px; border: 1px solid var(--model);
  background: color-mix(in srgb, var(--model) 14%, transparent);
}}
.models dl {{ display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 6px 0 8px; padding: 0 !important; }}
.models dt, .models dd {{ display: inline; margin: 0; font-size: 0.85rem; }}
.models dd {{ font-weight: 600; margin-left: 5px; }}
.model-lines {{ list-style: none; margin: 10px 0 0; padding: 0 !important; font-size: 0.85rem; line-height: 1.5; }}
.model-lines li {{ overflow-wrap: anywhere; margin: 0; padding: 0; font-size: inherit; }}
{layer_diagram.CSS}
</style>
"""


def model_cards(compared: Comparison | None, untrained: Mapping[str, str]) -> None:
    """Draw them.

    Args:
        compared: one group of runs for each model, as far as there are some.
        untrained: why there are none of the others of the project's models, in a few words.
    """
    rows: dict[str, pd.Series] = {}
    groups: Sequence[Group] = []
    if compared:
        groups, table = compared.groups, compared.tables[0]
        rows = {row["model"]: row for _, row in table.iterrows()}
    highest = max((row["accuracy_mean"] for row in rows.values()), default=0)
    best = {id for id, row in rows.items() if len(rows) > 1 and highest - row["accuracy_mean"] < EQUAL}
    if len(best) == len(rows):  # Then it tells nothing.
        best = set()
    known = {group.recipe.model: group for group in groups}
    cards = [
        _card(ARCHITECTURES[id], rows.get(id), known.get(id), is_best=id in best, untrained=untrained.get(id, ""))
        for id in ARCHITECTURES.project
    ]
    # One has to be able to scroll by the keyboard where they do not fit beside each other.
    st.html(
        f'{CSS}<div class="models" role="group" aria-label="The models" tabindex="0">{"".join(cards)}</div>'
        + _lines(rows, best)
    )


def _card(
    architecture: Architecture, row: pd.Series | None, group: Group | None, *, is_best: bool, untrained: str
) -> str:
    """One of the project's models."""
    said = f'<p class="untrained">{untrained}</p>'
    if row is not None and group is not None:
        badge = '<span class="best">Highest accuracy</span>' if is_best else ""
        figures = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _figures(row).items())
        said = (
            f'<p class="accuracy"><b>{say_share(row["accuracy_mean"])}</b>{badge}</p>'
            f"<p>{html.escape(_runs(row, group))}{_silent(group)}</p><dl>{figures}</dl>"
        )
    return (
        f'<article style="--model: {architecture.color}"><h2><span class="mark {architecture.symbol}" '
        f'aria-hidden="true"></span>{html.escape(architecture.full_name)}</h2>'
        f"<p>{html.escape(architecture.gist)}</p>{said}{layer_diagram.layer_diagram(architecture)}</article>"
    )


def _figures(row: pd.Series) -> dict[str, str]:
    """What a model costs, by what it is called."""
    elsewhere = "" if row["comparable"] else f" ({ELSEWHERE})"
    return {
        "Parameters": COSTS["parameters"].say(row["parameters"]),
        "Training time": f"{digits(row['train_seconds'])} s{elsewhere}",  # As in the sentence above.
    }


def _runs(row: pd.Series, group: Group) -> str:
    """What the accuracy is the mean of: "of test images right; 5 runs: 86.9 to 89.0%", and another recipe."""
    count = len(row["seeds"])
    runs = "one run"
    if count > 1:
        runs = f"{count} runs: {say_percent(row['accuracy_min'])} to {say_share(row['accuracy_max'])}"
    recipe = "" if group.recipe.published else f", with {group.recipe.describe()}"
    return f"of test images right ({runs}){recipe}"


def _silent(group: Group) -> str:
    """That runs never answer some class, which costs some ten points for each: why a larger model can do worse."""
    silent = sum(bool(run.result and run.result.never_predicted) for run in group.runs)
    if not silent:
        return ""
    which = f"{silent} of {len(group.runs)} runs" if len(group.runs) > 1 else "It"
    return f". <b>{which} never predict{'s' if silent == 1 else ''} at least one class.</b>"


def _lines(rows: Mapping[str, pd.Series], best: Collection[str]) -> str:
    """The custom models, the most accurate first."""
    custom = sorted(
        (id for id in rows if ARCHITECTURES[id].custom), key=lambda id: rows[id]["accuracy_mean"], reverse=True
    )
    if not custom:
        return ""
    lines = []
    for id in custom[:MAX_LINES]:
        architecture, row = ARCHITECTURES[id], rows[id]
        said = [say_share(row["accuracy_mean"]) + ", the highest accuracy" * (id in best)]
        said += [f"{name} {value}" for name, value in _figures(row).items()]
        lines.append(
            f'<li style="--model: {architecture.color}"><span class="mark" aria-hidden="true"></span>'
            f"<b>{html.escape(architecture.name)}</b>: {html.escape(' · '.join([*said, architecture.layers]))}</li>"
        )
    if more := len(custom) - MAX_LINES:
        lines += (
            [f"<li>{more} more custom model{'s' if more > 1 else ''}: see <b>All numbers</b>.</li>"] if more > 0 else []
        )
    return f'<ul class="model-lines" aria-label="Custom models">{"".join(lines)}</ul>'
