"""Results written into a folder under names that are free, and what is said of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import ResultError
from ...picture import SourceImage
from ...run import Result
from ..text import Tone

__all__ = ["write_results"]


def write_results(
    results: Sequence[Result], folder: str | Path, *, raw: bool
) -> tuple[tuple[Path, ...], str, Tone]:
    """Write results as PNGs, or the model's own answers in their place where `raw`.

    Returns where those are that could be written, and what is said of it in which tone.
    """
    where = Path(folder).expanduser().resolve()
    written: list[Path] = []
    for result in results:
        try:
            if raw:
                name = f"{result.picture.name}-raw"
                written.append(SourceImage(result.raw, "PNG", name).save(_free_name(where, name)))
            else:
                written.append(result.save(_free_name(where, result.picture.name)))
        except ResultError as error:
            before = f"{len(written)} of {len(results)} were saved. " if written else ""
            return tuple(written), f"{before}{error}", "alert"
    if len(written) == 1:
        return tuple(written), f"Saved as {written[0]}", "good"
    if written:
        names = ", ".join(path.name for path in written)
        return tuple(written), f"Saved {len(written)} results in {where}: {names}", "good"
    return (), "Nothing was saved: no result is starred.", "notice"


def _free_name(folder: Path, stem: str) -> Path:
    candidate, number = folder / f"{stem}.png", 2
    while candidate.exists():
        candidate, number = folder / f"{stem}-{number}.png", number + 1
    return candidate
