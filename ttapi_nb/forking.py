"""What a forked child must not inherit: a lock that a thread held which the child has not got."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["anew", "cached"]

T = TypeVar("T")

_locks: list[tuple[dict[str, Any], str]] = []


class cached(Generic[T]):  # noqa: N801 - it stands where `functools.cached_property` does
    """`functools.cached_property` without the lock that it has before Python 3.12, one for all instances.

    Two threads may both work the value out, and one of the two is kept.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        # From then on it is found there, before this.
        value: T = instance.__dict__.setdefault(self._name, self._work(instance))
        return value


def anew(names: dict[str, Any], name: str) -> None:
    """Give a forked child a lock of its own in place of a module's, of which `names` are the globals."""
    _locks.append((names, name))


def _renew() -> None:
    for names, name in _locks:
        names[name] = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
