"""An experiment as plain rows, as a CSV file, and its results as files."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from typing import Any

from .board import TrialCell

__all__ = ["Table", "csv_of", "table_of"]

# What a spreadsheet takes for a formula at the beginning of a field.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Table(list[dict[str, Any]]):
    """Rows as dicts, all with the same names; a notebook shows them as a table, and `pandas()` makes a DataFrame."""

    def pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`, where pandas is there."""
        # What is not there says so itself.
        import pandas as pd

        return pd.DataFrame(self)

    def _repr_html_(self) -> str:
        names = list(self[0]) if self else []
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        rows = "".join(
            "<tr>"
            + "".join(f"<td><bdi>{html.escape(_shown(row[name]))}</bdi></td>" for name in names)
            + "</tr>"
            for row in self
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def table_of(cells: Sequence[TrialCell]) -> Table:
    """A row for each result, or for a cell that has none yet."""
    axes: dict[str, None] = {}
    for one in cells:
        axes |= dict.fromkeys(one.cell.values)
    return Table(_row(one, number, axes) for one in cells for number in sorted(one.shown) or (1,))


def _row(one: TrialCell, number: int, axes: dict[str, None]) -> dict[str, Any]:
    shown, rating = one.shown.get(number), one.ratings.get(number)
    row: dict[str, Any] = {"cell": one.cell.number, "result": number}
    row |= {name: one.cell.values.get(name, "") for name in axes}
    return row | {
        "text": one.cell.text,
        "state": one.state,
        "problem": one.problem,
        "seconds": None if one.seconds is None else round(one.seconds, 3),
        "cost": one.cost,
        "currency": one.currency,
        "tokens": one.tokens,
        "width": shown.size[0] if shown else None,
        "height": shown.size[1] if shown else None,
        "leak": shown.leak[0] if shown and shown.leak else None,
        "stars": rating.stars if rating else 0,
        "note": rating.note if rating else "",
        "run": one.run_id,
        "key": one.key,
    }


def csv_of(table: Table) -> str:
    """The rows as CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(table[0]) if table else [])
    writer.writeheader()
    for row in table:
        writer.writerow({name: _plain(value) for name, value in row.items()})
    return out.getvalue()


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
