"""Who is at the other end, told to the service by a word that names nobody, where the teacher turns it on."""

from __future__ import annotations

from pathlib import Path

from .reading import IDENTIFIER, BodyReader, UnreadableError
from .storing import PIECE, Store

__all__ = ["identify"]


def identify(reader: BodyReader, store: Store, path: Path, identifier: str) -> None:
    """Put the word into a body that `reader` has read. For threads. Raises `UnreadableError` and `OSError`."""
    splice = reader.identified(path, identifier)
    store.splice(path, splice)
    if splice.start == splice.stop:
        return
    # Something was taken out: what the ledger reckons with must still be what stands there.
    again = reader.anew()
    with path.open("rb") as file:
        while data := file.read(PIECE):
            again.feed(data)
    if again.fields() != reader.fields() | {IDENTIFIER: identifier}:
        raise UnreadableError(
            f"The field {IDENTIFIER!r} can't be told from the others. Leave it out: your class says who asks."
        )
