"""CSV files: nothing in them is a formula, and a spreadsheet knows that they are UTF-8."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from fmnist.commands.tables import print_rows
from fmnist.export.csv_file import as_file
from fmnist.export.formulas import harmless

FORMULAS = ["=1+1.png", "+1+1", "-1+1", "@SUM(1)", '=HYPERLINK("http://127.0.0.1")', "\t=1", "\n=1", "-", "=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("value", ["shirt.png", "", "a=1", "-1.5", "+1e-3", "-inf", -1.5, 3, None, True])
def test_what_is_no_formula_is_left(value):
    assert harmless(value) is value


def test_no_row_begins_inside_a_cell():
    content = as_file(pd.DataFrame({"file": ["a\r=1", "b\r\n=1", "\r=1"]}))
    assert content.decode("utf-8-sig") == 'file\n"a\n=1"\n"b\n=1"\n"\'\n=1"\n'


def test_a_file_for_spreadsheets():
    table = pd.DataFrame({"=file": FORMULAS, "Sandale · été": np.linspace(-1, 1, len(FORMULAS)), "count": -1}, range(9))
    content = as_file(table)
    assert content.startswith(b"\xef\xbb\xbf'=file,Sandale \xc2\xb7 ")
    read = pd.read_csv(io.BytesIO(content))
    assert list(read["'=file"]) == ["'" + text for text in FORMULAS]
    assert list(read["Sandale · été"]) == list(table["Sandale · été"]) and set(read["count"]) == {-1}


def test_kinds_of_columns_are_written_as_pandas_writes_them():
    table = pd.DataFrame(
        {
            "labels": pd.array([1, None], dtype="Int64"),
            "times": pd.to_datetime([0, 1.5], unit="s", utc=True),
            "flags": [True, False],
            "mixed": [None, 0.1],
            "kinds": pd.Categorical(["a", "b"]),
        }
    )
    assert as_file(table).decode("utf-8-sig") == table.to_csv(index=False)
    assert as_file(pd.DataFrame()).decode("utf-8-sig") == pd.DataFrame().to_csv(index=False)


def test_output_for_programs_has_no_byte_order_mark(capsys):
    print_rows([{"file": "=1+1.png", "value": -0.5}], ("file", "value"), "csv")
    assert capsys.readouterr().out == "file,value\n'=1+1.png,-0.5\n"
