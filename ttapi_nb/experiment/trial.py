"""`Trial`: an experiment and all that can be done with what came of it."""

from __future__ import annotations

from pathlib import Path

from ..errors import ResultError
from ..files import write
from .carrying import file_name
from .judged import Judged
from .report import write_report
from .report.telling import pictures_of, told_of
from .table import Table, csv_of, table_of

__all__ = ["Trial"]


class Trial(Judged):
    """An experiment and what came of it; `Experiment.run` and `.open` make one.

    * `plan`, `log`: what is done, and where it is recorded. `client`: who does it.
    * `cells`: each cell of the plan as a `TrialCell`, in order: state, thumbnail, cost, leak, stars.
    """

    def table(self) -> Table:
        """A row for each result: its place on the axes, the prompt as it was sent, what it took, its leak and stars.

        A list of dicts, shown as a table in a notebook; `table().pandas()` is a DataFrame.
        """
        return table_of(self.cells)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as a CSV file; a text that a spreadsheet would take for a formula gets an apostrophe before
        it.

        Returns where it is; raises `ResultError`.
        """
        where = Path(path).expanduser()
        try:
            write(where, csv_of(self.table()).encode("utf-8-sig"))
        except OSError as error:
            raise ResultError(
                f"{where.name!r} could not be written ({error.strerror}). Choose another place."
            ) from None
        return where

    def save(self, folder: str | Path, *, suffix: str = ".png", lineage: bool = True) -> list[Path]:
        """Save every result as a file of its own in `folder`, pasted, with what made it; `suffix` as `Result.save`
        takes it. Their names begin with the cell's number. Returns where they are; raises `ResultError`.
        """
        where = Path(folder).expanduser()
        try:
            where.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(
                f"{where.name!r} can't be a folder ({error.strerror}). Choose another place."
            ) from None
        return [
            result.save(where / f"{file_name(one.cell, result.number)}{suffix}", lineage=lineage)
            for one in self.cells
            if one.state == "done"
            for result in self.results(one.key)
        ]

    def report(self, path: str | Path, *, full: bool = False) -> Path:
        """Write one HTML file that needs neither network nor key: the grid with its axes to swap, a table to sort,
        results side by side, blind votes that can be handed in (`add_votes`), the ranking, and how it was made.

        `full`: with the results in full size, and not only small ones. Returns where it is; raises `ResultError`.
        """
        where = Path(path).expanduser()
        where = where if where.suffix else where.with_suffix(".html")
        cells = self.refresh().cells
        return write_report(where, told_of(self, cells, full=full), pictures_of(self, cells, full=full))
