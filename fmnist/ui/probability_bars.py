"""The ten probabilities of an answer as bars."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

# Bars in HTML change in place at each stroke; a Plotly chart would be taken down and built anew, and blink.
CSS = """
<style>
.bars { width: 100%; border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.bars th { font-weight: 400; text-align: left; padding: 3px 6px 3px 0; width: 1%; white-space: nowrap; }
.bars td { padding: 3px 0; }
.bars td:last-child { text-align: right; width: 3.1em; }
.bars .scale { position: relative; height: 14px; background: color-mix(in srgb, #808891 16%, transparent); }
.bars b { position: absolute; inset: 0 auto 0 0; background: var(--model); opacity: 0.45; }
.bars i { position: absolute; top: 6px; height: 2px; background: #808891; }
.bars .top th, .bars .top td { font-weight: 600; }
.bars .top b { opacity: 1; }
</style>
"""


def bars(shown: np.ndarray, low: np.ndarray, high: np.ndarray, names: Sequence[str], color: str, label: str) -> str:
    """Ten probabilities as a table with bars, all in one scale from 0 to 100%; the largest in full colour.

    Args:
        shown: the probabilities, float (10,).
        low: where the thin lines begin, float (10,).
        high: where they end, float (10,).
        names: of the classes.
        color: of the model.
        label: the table's text alternative.

    Returns:
        HTML, which needs `CSS` once on the page.
    """
    top = int(shown.argmax())
    rows = "".join(
        f'<tr class="{"top" if place == top else ""}"><th scope="row">{name}</th>'
        f'<td><div class="scale"><b style="width: {shown[place]:.1%}"></b>'
        f'<i style="left: {low[place]:.1%}; width: {high[place] - low[place]:.1%}"></i></div></td>'
        f"<td>{shown[place]:.0%}</td></tr>"
        for place, name in enumerate(names)
    )
    alt = html.escape(label, quote=True)
    return f'<table class="bars" style="--model: {color}" aria-label="{alt}"><tbody>{rows}</tbody></table>'
