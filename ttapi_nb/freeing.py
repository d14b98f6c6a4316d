"""Memory that is free again, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import sys

__all__ = ["give_back"]

# Less than this is used again soon.
LARGE = 100_000_000


def give_back(weight: int) -> None:
    """Give memory that is free again back to the system, after work that took about `weight` bytes, if that is much.

    Left alone, GNU's C library keeps what each thread once had: four threads, one after another, would hold four times
    as much, and a kernel that edited a photo of 24 megapixels seven times the photo.
    """
    if weight > LARGE and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
