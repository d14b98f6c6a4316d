"""What every mark can do, and the tools that make marks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

from ..raster import Coverage

__all__ = ["KINDS", "Mark", "Pointed", "Tool"]

Pointed: TypeAlias = Sequence[tuple[float, float, float]]
"""What a pointer did: x, y and the brush's radius of each point, in the pixels that the mark is to be in."""

KINDS: dict[str, type[Mark]] = {}
"""Every kind of mark there is, by its name in JSON."""


@dataclass(frozen=True, eq=False)
class Tool:
    """One tool of a drawer.

    * `name`: what it is called, here and in `widgets/static/stage/tools.js`, which has its icon, key and words.
    * `make(points, erase)`: the mark that it makes of what a pointer did, or None where that covers nothing. Raises
      `MaskError` where it can't be one. None for a tool that asks for something that only the kernel knows.
    * `sized`: whether the brush's size counts, `pressed`: whether a pen's pressure does.
    * `erases`: whether it takes paint away; the browser calls it by the tool that paints with the same marks.
    * `boxes`: whether a box can be dragged with it, which is no mark by itself.
    """

    name: str
    make: Callable[[Pointed, bool], Mark | None] | None = None
    sized: bool = False
    pressed: bool = False
    erases: bool = False
    boxes: bool = False


class Mark(ABC):
    """One step of a mask: it draws, scales, weighs, writes and reads itself. Immutable."""

    kind: ClassVar[str]
    """Its name in JSON."""
    tools: ClassVar[tuple[Tool, ...]] = ()
    """The tools that make it."""

    def __init_subclass__(cls) -> None:
        KINDS[cls.kind] = cls

    @property
    def fades(self) -> bool:
        """Whether it can leave nothing of what was painted before it."""
        return False

    @property
    def clears(self) -> bool:
        """Whether nothing of what was painted before it is left."""
        return False

    def written(self) -> dict[str, Any]:
        """Its fields for JSON, with its kind; `read` takes them."""
        return {"kind": self.kind} | vars(self)

    @abstractmethod
    def draw(self, coverage: Coverage) -> None:
        """Change `coverage`, (height, width) of uint8, in place."""

    def reach(self, size: tuple[int, int]) -> Sequence[tuple[int, int, int, int]] | None:
        """Boxes beyond which it changes nothing on a mask of `size`; None where it may change all of it."""
        return None

    @abstractmethod
    def scaled(self, sx: float, sy: float) -> Self:
        """The same mark where a pixel across is `sx` pixels and one down `sy`. Radii and amounts scale by their
        geometric mean.
        """

    @abstractmethod
    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        """About how many pixels are looked at to draw it on a mask of `size`, and how many bytes are held for it."""

    @abstractmethod
    def code(self) -> str | None:
        """The call of a `Mask` that adds it, as Python; None where there is none that a person could read."""

    @classmethod
    @abstractmethod
    def read(cls, data: dict[str, Any]) -> Mark:
        """The mark that was written as these fields, every one checked; what is not known raises `MaskError`, and what
        is no such mark `KeyError`, `TypeError` or `ValueError`.
        """
