"""Counts how often something of the package, or of a library, is done: a figure that no slow machine can move."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any


class Count:
    """How often it was called."""

    def __init__(self) -> None:
        self.calls = 0


@contextlib.contextmanager
def counted(owner: Any, name: str, *, where: Any = None) -> Iterator[Count]:
    """Count the calls of `owner.name` within; `where(args, kwargs)` tells which of them count."""
    count, real = Count(), getattr(owner, name)
    # As it stands there: what is inherited, or no plain function, is put back as it was.
    own = vars(owner).get(name)

    @functools.wraps(real)
    def called(*args: Any, **kwargs: Any) -> Any:
        if where is None or where(args, kwargs):
            count.calls += 1
        return real(*args, **kwargs)

    setattr(owner, name, called)
    try:
        yield count
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
