"""Pages without a server: AppTest runs one, and what it shows is read."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from fmnist.models.registry import ARCHITECTURES

# AppTest reads of each installed package, for each page anew, whether it has components: nine tenths of a page's time.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

PROJECT = Path(__file__).resolve().parents[2]
PAGES = (
    "dashboard.py",
    "pages/1_Train.py",
    "pages/2_Compare.py",
    "pages/3_Confusion.py",
    "pages/4_Predict.py",
    "pages/5_Data.py",
)
HOME, TRAIN, COMPARE, CONFUSION, PREDICT, DATA = PAGES
RESULT_PAGES = (HOME, COMPARE, CONFUSION, PREDICT)
SAMPLE = {"data": "Sample data"}
"""The query of a page that shows them."""
NOT_FASHION = "This is not FashionMNIST"


def visit(page: str, **query: str) -> AppTest:
    """A page as a visitor finds it who comes by a link with this query; it shows no traceback."""
    at = AppTest.from_file(str(PROJECT / "dashboard.py"), default_timeout=90)
    at.switch_page(page)
    at.query_params.update(query)
    at._finished_page_script_hash = at._page_hash  # Who seems to come from another page loses the query.
    return again(at)


def again(at: AppTest) -> AppTest:
    """Run the page (after a click), and see that it shows no traceback."""
    at.run()
    assert not at.exception, at.exception[0].value
    return at


def open_all_runs(at: AppTest) -> AppTest:
    """Open the table of all runs on Train."""
    at.session_state["runs"] = True
    return again(at)


def choose_rows(at: AppTest, *rows: int) -> AppTest:
    """Choose rows of the table of all runs on Train, which is opened for it."""
    at = open_all_runs(at)
    [table] = [element.proto for element in at.dataframe if "all-runs" in element.proto.id]
    key = "all-runs" + table.id.rpartition("all-runs")[2]
    at.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return again(at)


def texts(at: AppTest, *kinds: str) -> list[str]:
    """What the page says in these kinds of elements."""
    return [element.value for kind in kinds for element in getattr(at, kind)]


def shown(at: AppTest, *kinds: str) -> list[str]:
    """The same as a reader sees it, where signs of Markdown are escaped."""
    return [re.sub(r"\\([^\w\s])|\\(_)", r"\1\2", text) for text in texts(at, *kinds)]


def says(at: AppTest, words: str) -> bool:
    """Whether some text on the page contains the words."""
    kinds = ("title", "markdown", "caption", "info", "warning", "error", "success")
    return any(words in text for text in texts(at, *kinds))


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def confirm_button(at: AppTest) -> Button:
    """The one on Compare that confirms what a sweep has chosen."""
    return next(button for button in at.button if button.label.startswith("Confirm with 5 new seeds"))


def tiles(at: AppTest) -> list[str]:
    """The captions of the images on the page that can be clicked, in their order."""
    return [
        "\n".join(tile["lines"])
        for part in at.get("bidi_component")
        if part.proto.component_name == "fmnist_image_buttons"
        for tile in json.loads(part.proto.json)["tiles"]
    ]


def charts(at: AppTest) -> dict[str, Any]:
    """The protobuf message of each chart on the page, by the widget key."""
    return {re.split(r"-[0-9a-f]{32}-", chart.proto.id)[-1]: chart.proto for chart in at.get("plotly_chart")}


def live_curves(at: AppTest) -> dict[str, dict]:
    """What the live curves on the page draw for somebody who has just come, by the data set: each run with its points,
    lists by their names, under "train" and "test" (what is measured after each epoch)."""
    found = {}
    for component in at.get("bidi_component"):
        if component.proto.component_name == "fmnist_live_chart":
            data = json.loads(component.proto.json)
            for run in data["runs"]:
                for split, name in (("train", "train"), ("test", "measured")):
                    line = data["lines"].get(f"{run['id']}-{name}")
                    points = decoded(line["points"]) if line else np.empty((0, 4))
                    run[split] = dict(zip(("step", "seconds", "loss", "accuracy"), points.T.tolist(), strict=True))
            found[component.proto.id.partition("-curves-")[2]] = data
    return found


def decoded(text: str) -> np.ndarray:
    """Points of a line as live_chart.js reads them: float64 (K, 4), step, seconds, loss, accuracy."""
    data = base64.b64decode(text)
    count = len(data) // 16
    steps, rest = np.frombuffer(data, "<i4", count), np.frombuffer(data, "<f4", offset=4 * count)
    return np.column_stack([steps, rest.reshape(3, count).T]).astype(np.float64)


def traces(chart: Any) -> list[dict]:
    return json.loads(chart.spec)["data"]


def model_colors(key: str, chart: Any) -> dict[str, set[str]]:
    """For each model that stands in a chart, the colours in which it is drawn, as #RRGGBB."""
    found: dict[str, set[str]] = {}
    known = {architecture.name for architecture in ARCHITECTURES.values()}
    for trace in traces(chart):
        marker, line = trace.get("marker", {}), trace.get("line", {})
        if key.startswith("probabilities-"):
            names, colors = [ARCHITECTURES[key[-1]].name] * 10, marker["color"]
        elif isinstance(marker.get("color"), list):  # Bars: one each.
            names, colors = trace["y"], marker["color"]
        else:
            names, colors = [trace.get("name") or ""] * 2, [marker.get("color"), line.get("color")]
        for name, color in zip(names, colors, strict=True):
            if color and (model := name.partition(" ·")[0].partition(",")[0]) in known:
                found.setdefault(model, set()).add(_as_hex(color))
    return found


def _as_hex(color: str) -> str:
    if color.startswith("#"):
        return color.upper()
    return "#{:02X}{:02X}{:02X}".format(*map(int, re.findall(r"\d+", color)[:3]))


def open_results(at: AppTest, dataset: str = "sample") -> pd.DataFrame:
    """The figures of each finished run of the last training, below its curves."""
    at.session_state[f"results-of-{dataset}"] = True
    [table] = [table.value for table in again(at).dataframe if "trouble" in table.value]
    return table


# What Predict shows

EVERY_MODEL = {architecture.name for architecture in ARCHITECTURES.values()}


def answers(at: AppTest) -> dict[str, str]:
    """The answer that stands over the bars of each model."""
    found = (re.fullmatch(r"(Model .*)  \n\*\*(.*)\*\*, \d+%", text) for text in texts(at, "markdown"))
    return {match[1]: match[2] for match in found if match}


def bars(at: AppTest) -> list[str]:
    """The tables of probabilities, as HTML."""
    return [part.proto.body for part in at.get("html") if 'class="bars"' in part.proto.body]
