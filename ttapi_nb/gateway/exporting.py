"""A class as files to take home: runs as CSV, and results with what made them as a zip."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..lineage import Lineage, Step
from ..lineage.written import fits
from .results import Results, options_in, with_text

__all__ = ["as_csv", "as_zip"]

# What a spreadsheet would run as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV (RFC 4180), with nothing in them that a spreadsheet takes for a formula."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_zip(rows: Sequence[Mapping[str, Any]], results: Results, folder: Path) -> Path:
    """A zip file in `folder` with `runs.csv`, and each result that is here with what made it written into it.

    Raises `OSError`, with nothing left behind.
    """
    handle, name = tempfile.mkstemp(suffix=".zip", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("runs.csv", as_csv(rows).encode("utf-8-sig"), zipfile.ZIP_DEFLATED)
            for row in rows:
                if row["state"] != "settled" or not row["came"]:
                    continue
                for at, data in enumerate(results.files(row["number"]), 1):
                    written, kind = with_text(data, Lineage((_step(row, at),)).to_json())
                    archive.writestr(f"results/{row['number']:05d}-{at}.{kind}", written)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _step(row: Mapping[str, Any], at: int) -> Step:
    """What a run did, as far as the gateway knows: neither photo nor mask are in its ledger."""
    return Step(
        prompt=row["prompt"],
        model=row["model"],
        options={name: value for name, value in options_in(row["options"]).items() if fits(value)},
        sources=(),
        number=at,
        time=datetime.fromtimestamp(row["finished"] or row["started"], UTC).replace(microsecond=0),
        version=__version__,
    )
