"""`Masks`: a trait that takes masks, for widgets with a photo."""

from __future__ import annotations

from typing import Any

import traitlets

from ...mask import Mask

__all__ = ["Masks"]


class Masks(traitlets.Any):
    """A trait for masks. None is an empty one where there is a photo, on which somebody may paint. One given as pixels
    that mark nothing is another than a sheet nobody touched: that is told, though the two are equal by what they paint.
    """

    def set(self, obj: Any, value: Any) -> None:
        """Take a mask, and tell."""
        value = obj.empty_mask() if value is None else value
        before = obj._trait_values.get(self.name)
        super().set(obj, value)
        after = obj._trait_values.get(self.name)
        if isinstance(before, Mask) and before == after and before.blank != after.blank:
            obj._notify_trait(self.name, before, after)
