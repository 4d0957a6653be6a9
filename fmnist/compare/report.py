"""A comparison as one HTML file that opens anywhere, without network, with its charts alive. No torch, no Streamlit.

plotly.js, which comes with the plotly package, draws the charts and saves them as PNG or SVG in the browser.
"""

from __future__ import annotations

import html
import re
import time

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from fmnist.compare.comparison import Comparison, Picture
from fmnist.compare.cost_charts import COSTS
from fmnist.words import moment

CSS = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b212b; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.85rem; } .wide { overflow-x: auto; }
td, th { border-bottom: 1px solid #d8dde5; padding: 4px 10px; text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
button { font: inherit; font-size: 0.8rem; margin-right: 6px; padding: 2px 10px; cursor: pointer; }
.js-plotly-plot { touch-action: manipulation; }
@media (hover: none) and (pointer: coarse) { .modebar-btn[data-attr="dragmode"] { display: none; } }
figure { margin: 0; } small { color: #5b6472; }
"""
SCRIPT = """
for (const button of document.querySelectorAll("button[data-format]"))
  button.onclick = () => Plotly.downloadImage(button.dataset.figure,
    { format: button.dataset.format, filename: button.dataset.figure, scale: 2 });
// A swipe over a chart scrolls the page: fmnist/ui/taps.py.
document.addEventListener("touchstart", (event) => {
  if (event.target.closest?.(".js-plotly-plot")) event.stopPropagation();
}, { capture: true, passive: true });
"""
CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}
"""Of plotly.js, which would offer to upload a chart."""


def write(comparison: Comparison, *, with_images: bool) -> str:
    """The report, a page of HTML.

    Args:
        with_images: whether the test labels are there, for the parts that look at single images.
    """
    dataset = comparison.info.title
    names = ", ".join(group.title for group in comparison.groups)
    body = [
        f"<h1>{html.escape(names)}: how do they compare?</h1>",
        f"<p>{_markdown(comparison.answer)}</p>",
        f"<p><small>{html.escape(dataset)} · {moment(time.time())} · made by fmnist</small></p>",
        _figure(f"{comparison.images.capitalize()} accuracy", comparison.accuracy()),
        *(_about_images(comparison) if with_images else []),
        *(_what_went_wrong(comparison) if with_images or comparison.images == "held-out" else []),
        *_about_runs(comparison),
        "<h2>Table</h2>",
        _table(comparison.table()),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(names)}</title><style>{CSS}</style><script>{get_plotlyjs()}</script></head>"
        f"<body>{''.join(body)}<script>{SCRIPT}</script></body></html>"
    )


def _about_images(comparison: Comparison) -> list[str]:
    """What looks at single test images."""
    parts = ["<h2>Differences between the models</h2>"]
    if differences := comparison.differences():
        parts.append(_figure("", differences))
    parts.append(_list([*(pair.sentence for pair in comparison.pairs), *comparison.single_runs()]))
    parts += ["<h2>Does confidence match accuracy?</h2>", _list(comparison.calibrated())]
    parts += [
        _figure("", comparison.reliability()),
        _figure("Leaving out the least confident answers", comparison.selective()),
    ]
    return [*parts, _figure("Classes", comparison.classes())]


def _what_went_wrong(comparison: Comparison) -> list[str]:
    """What is wrong with single runs, on the images that they are measured on."""
    unhealthy = [
        f"{one.title}: {finding.sentence} {finding.evidence} {finding.remedy}"
        for one in comparison.unhealthy_runs()
        for finding in one.findings
    ]
    return ["<h2>What went wrong</h2>", _list(unhealthy) if unhealthy else "<p>Nothing: all runs went well.</p>"]


def _about_runs(comparison: Comparison) -> list[str]:
    """What the store alone tells."""
    parts = []
    if len(comparison.groups) > 1:
        differing = comparison.what_differs()
        parts.append("<h2>What differs besides the model</h2>")
        parts.append(
            _table(differing)
            if len(differing)
            else "<p>Nothing: recipe, seeds, machine, load and versions are the same.</p>"
        )
    for metric in ("accuracy", "loss"):
        title = f"Learning: {metric} on {comparison.images} images"
        parts.append(_figure(title, comparison.learning(metric, "test", "epoch")))
    for cost in COSTS.values():
        if picture := comparison.cost(cost):
            parts.append(_figure(f"Accuracy against {cost.title[0].lower()}{cost.title[1:]}", picture))
        if unknown := comparison.say_unknown(cost):
            parts.append(_list(unknown))
    if apart := comparison.apart():
        parts.append(_list(apart))
    return parts


def _figure(title: str, picture: Picture) -> str:
    """A live chart with its heading, its text alternative and two buttons to save it."""
    figure = go.Figure(picture.figure).update_layout(template="plotly_white", font={"size": 13})
    name = re.sub(r"\W+", "-", (title or picture.alt[:40]).lower()).strip("-")
    buttons = "".join(
        f'<button data-figure="{name}" data-format="{form}">Save as {form.upper()}</button>' for form in ("png", "svg")
    )
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=CONFIG)
    heading = f"<h2>{html.escape(title)}</h2>" if title else ""
    return (
        f'{heading}<figure role="group" aria-label="{html.escape(picture.alt, quote=True)}">{drawn}{buttons}</figure>'
    )


def _table(table: pd.DataFrame) -> str:
    table = table.rename(columns=lambda name: name.replace("_", " "))  # As people read them, and not programs.
    drawn = table.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.6g}", escape=True)
    return f'<div class="wide">{drawn}</div>'


def _list(sentences: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _markdown(text: str) -> str:
    """Our own Markdown as HTML: in it stand only ** and what `words.escape` gives."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", bold)
