"""`Fit`: there and back between the source's geometry and the model's.

For now a picture goes out as it is, so only answers of the source's own shape can be laid back over it. What can't be
done yet is said in words, before the run and after it; nothing is stretched in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from .errors import FitError
from .images import SourceImage
from .mask import Mask
from .models import model_for, parse_size

__all__ = ["Fit"]


@dataclass(frozen=True)
class Fit:
    """How one picture travels to a model and back. Sizes are (width, height) in pixels.

    `format` is the file format it is sent in: its own where the model takes that, else PNG.
    """

    source_size: tuple[int, int]
    sent_size: tuple[int, int]
    format: str
    asked_size: str = "auto"

    @classmethod
    def plan(cls, source: SourceImage, model: str, size: str = "auto", how: str = "auto") -> Fit:
        """The way for `source` to `model` when a result of `size` is asked for.

        `how` is `"auto"`: the picture is sent as it is. Raises `FitError` for any other.
        """
        if how != "auto":
            raise FitError(
                f'fit={how!r} is not offered yet. Use fit="auto", and crop or pad the picture yourself.'
            )
        formats = model_for(model).image_formats
        format = source.format if source.format in formats else "PNG"
        return cls(source.size, source.size, format, size)

    def there(self, source: SourceImage) -> SourceImage:
        """The picture as it is sent."""
        return source.as_format(self.format)

    def there_mask(self, mask: Mask) -> Mask:
        """The mask as it is sent: it always travels with its picture."""
        return mask.resize(self.sent_size)

    def back(self, answer: Image.Image) -> Image.Image | None:
        """The answer at the source's size, or None where it came in another shape and can't be laid back."""
        if not _same_shape(answer.size, self.source_size):
            return None
        if answer.size == self.source_size:
            return answer
        return answer.resize(self.source_size, Image.Resampling.LANCZOS)

    @property
    def words(self) -> str:
        """The plan in a sentence, and what it can't do."""
        sent = f"Sends {_by(self.sent_size)} as {self.format}."
        asked = parse_size(self.asked_size)
        if asked is None:
            return sent
        if not _same_shape(asked, self.source_size):
            return f"{sent} {self.cannot_return(asked)}"
        return f"{sent} Asks for {_by(asked)}, returns into {_by(self.source_size)}."

    def cannot_return(self, answer: tuple[int, int]) -> str:
        """Why an answer of this size stays as it came, for a sentence on the screen."""
        return (
            f"A result of {_by(answer)} has another shape than the picture ({_by(self.source_size)}), "
            "so it is shown as it comes, and what lies outside the mask can't be kept. "
            "To keep it, crop the picture to the size's shape first."
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    # Alike to within the pixel that rounding may cost.
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)
