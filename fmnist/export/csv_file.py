"""Tables as CSV files, for spreadsheets too."""

from __future__ import annotations

import pandas as pd

from fmnist.export.formulas import harmless

ENCODING = "utf-8-sig"
"""UTF-8 that begins with a byte order mark: without it Excel takes the bytes for a Windows code page."""


def as_file(table: pd.DataFrame) -> bytes:
    """A table as the content of a CSV file, without its index; numbers with every digit."""
    return without_formulas(table).to_csv(index=False).encode(ENCODING)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts and titles no spreadsheet takes for formulas."""
    columns = [
        column if pd.api.types.is_any_real_numeric_dtype(column) else column.map(harmless)
        for _, column in table.items()
    ]
    if not columns:
        return table
    found = pd.concat(columns, axis=1)
    found.columns = [harmless(title) for title in table.columns]
    return found
