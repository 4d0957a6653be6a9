"""What --dry-run prints: what would be trained, and how long each setting would take."""

from __future__ import annotations

from fmnist.commands.tables import Column, fitting, print_rows, room, table
from fmnist.training.dry_run import Plan, in_words


def print_plan(plan: Plan, format: str) -> None:
    """Print a row for each setting of a plan: "table", "csv" or "json"."""
    found = plan.table() if format != "table" else in_words(plan.table())
    rows, fields = found.astype(object).where(found.notna(), None).to_dict("records"), list(found.columns)
    if format != "table":
        print_rows(rows, fields, format)
        return
    titles = {"learning_rate": "lr", "batch_size": "batch", "weight_decay": "decay", "validation": "held out"}
    words = ("model", "optimizer", "schedule", "keep")

    def column(field: str) -> Column:
        # What a grid has one value of is said above the table.
        same = len({row[field] for row in rows}) == 1
        return Column(titles.get(field, field), lambda row: str(row[field]), field not in words, optional=same)

    columns = [column(field) for field in fields[:-1]]
    columns.append(Column("seconds", lambda row: "?" if row["seconds"] is None else f"{row['seconds']:.0f}", True))
    width = room()
    print(table(rows, columns if width is None else fitting(rows, columns, width), width))
