"""What each model accepts: one table of frozen rows, read by the checks, the pickers and the embedded service.

The limits come from TTAPI's page for `POST /v1/images/edits` (26 March 2026), and for the newer rows from its
later page and OpenAI's Images API, which TTAPI follows; `Model.source` names the page of each row.
A megabyte is 10**6 bytes of the decoded file, and a character is one code point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from math import inf
from types import MappingProxyType

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "OFFLINE_NOTICE",
    "PARTIALS_MAX",
    "PARTIAL_TOKENS",
    "REPLAY_NOTICE",
    "WHOLE_FORMATS",
    "Model",
    "SizeRule",
    "living",
    "megabytes",
    "model_for",
    "parse_size",
]

MB = 10**6

EDITS_PAGE = "TTAPI, POST /v1/images/edits, 26 March 2026"
NEWER_PAGES = "TTAPI's newest images page and OpenAI's Images API"

OFFLINE_NOTICE = (
    "Made by the embedded service: "
    "it fills from the picture and reads nothing of the prompt but colour words."
)
"""What is said wherever a result of the embedded service is shown."""

REPLAY_NOTICE = (
    "Replayed from a recording: made earlier for the same request, and nothing was sent or billed."
)
"""What is said wherever a recorded result is shown."""

# Limits that hold at the endpoint, whatever the model.
PROMPT_LIMIT = 32_000
MASK_BYTES = 4 * MB
N_MAX = 10
COMPRESSION_RANGE = (0, 100)
IMAGE_FORMATS = ("PNG", "WEBP", "JPEG")
PARTIALS_MAX = 3
PARTIAL_TOKENS = 100
"""About how many output tokens one partial image is said to cost."""
WHOLE_FORMATS = ("gif", "svg")
"""Formats of results that are never streamed (OpenAI's client, November 2026)."""
RETIRED_DALL_E = date(2026, 5, 12)
RETIRED_GPT_IMAGE_1 = date(2026, 10, 23)


def megabytes(count: int) -> str:
    """`count` bytes as people say it: `megabytes(4_200_000) == "4.2 MB"`."""
    return f"{count / MB:.1f}".removesuffix(".0") + " MB"


@lru_cache(maxsize=256)
def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of a size written as `"1024x1536"`, or None where it is not written so."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class SizeRule:
    """A rule that any size may meet, for models that do not take a fixed list (lengths and areas in pixels)."""

    multiple: int
    ratio: int
    longest: int
    least_area: int
    most_area: int

    def __str__(self) -> str:
        return (
            f"WIDTHxHEIGHT with both sides divisible by {self.multiple}, no side over {self.longest}, "
            f"a shape between 1:{self.ratio} and {self.ratio}:1, "
            f"and {self.least_area:,} to {self.most_area:,} pixels in all"
        )

    def takes(self, width: int, height: int) -> bool:
        """Whether a picture of this size may be asked for."""
        return (
            width % self.multiple == 0
            and height % self.multiple == 0
            and max(width, height) <= min(self.longest, self.ratio * min(width, height))
            and self.least_area <= width * height <= self.most_area
        )


@dataclass(frozen=True, eq=False)
class Model:
    """One row of the table: everything the service would check for a model.

    `image_bytes` and `mask_bytes` are upper bounds that a file must stay under. `needs_alpha` says that pictures are
    best sent with an alpha channel. `choices` maps each field of fixed
    values that the model takes to those values; a field missing there is not taken. `sizes` are what a picker
    offers; where `size_rule` is set, any other size that meets it is taken as well. `partials_max` is how many partial
    images it sends of each result at most, and None where it does not stream. `listed` says that TTAPI's pages name it
    for edits, and `retired` when its maker shut it down.
    """

    name: str
    source: str
    known: bool = True
    listed: bool = True
    edits: bool = True
    prompt_limit: int = PROMPT_LIMIT
    images_max: int = 1
    image_formats: tuple[str, ...] = IMAGE_FORMATS
    image_bytes: int = 50 * MB
    square: bool = False
    needs_alpha: bool = False
    mask_bytes: int = MASK_BYTES
    n_max: int = N_MAX
    sizes: tuple[str, ...] = ()
    size_rule: SizeRule | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compresses: bool = False
    partials_max: int | None = None
    retired: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", MappingProxyType(dict(self.choices)))

    def is_retired(self, today: date | None = None) -> bool:
        """Whether its maker has shut it down by `today`, this very day where left out."""
        return self.retired is not None and self.retired <= (today or datetime.now(UTC).date())

    def takes_size(self, size: str) -> bool:
        """Whether `size` (`"auto"` or `"WIDTHxHEIGHT"`) may be asked of this model."""
        if not self.known or size == "auto" or size in self.sizes:
            return True
        sides = parse_size(size)
        return self.size_rule is not None and sides is not None and self.size_rule.takes(*sides)

    @property
    def sizes_in_words(self) -> str:
        """What `takes_size` accepts, for a sentence."""
        if self.size_rule is not None:
            return f"auto, or {self.size_rule}"
        return ", ".join(self.sizes)


_GPT_SIZES = ("auto", "1024x1024", "1536x1024", "1024x1536")
_GPT_CHOICES = {
    "quality": ("auto", "high", "medium", "low"),
    "response_format": ("b64_json",),
    "output_format": ("png", "jpeg", "webp"),
    "background": ("auto", "transparent", "opaque"),
    "moderation": ("auto", "low"),
}
_FIDELITY = {"input_fidelity": ("high", "low")}

_ROWS = (
    Model(
        name="gpt-image-1",
        source=EDITS_PAGE,
        images_max=16,
        image_bytes=25 * MB,
        sizes=_GPT_SIZES,
        choices=_GPT_CHOICES | _FIDELITY,
        compresses=True,
        partials_max=PARTIALS_MAX,
        retired=RETIRED_GPT_IMAGE_1,
    ),
    Model(
        name="dall-e-2",
        source=EDITS_PAGE,
        prompt_limit=1_000,
        image_formats=("PNG",),
        image_bytes=4 * MB,
        square=True,
        # OpenAI refuses an RGB picture for it: "must be in RGBA, LA, L".
        needs_alpha=True,
        sizes=("auto", "256x256", "512x512", "1024x1024"),
        choices={"quality": ("auto", "standard"), "response_format": ("url", "b64_json")},
        retired=RETIRED_DALL_E,
    ),
    Model(
        name="dall-e-3",
        source=EDITS_PAGE + " (it has limits there, but only generates)",
        listed=False,
        edits=False,
        prompt_limit=4_000,
        n_max=1,
        sizes=("auto", "1024x1024", "1792x1024", "1024x1792"),
        choices={"quality": ("auto", "hd", "standard"), "response_format": ("url", "b64_json")},
        retired=RETIRED_DALL_E,
    ),
    Model(
        name="gpt-image-1.5",
        source=NEWER_PAGES,
        images_max=16,
        sizes=_GPT_SIZES,
        choices=_GPT_CHOICES | _FIDELITY,
        compresses=True,
        partials_max=PARTIALS_MAX,
    ),
    Model(
        name="gpt-image-2",
        source=NEWER_PAGES,
        images_max=16,
        sizes=(*_GPT_SIZES, "2048x2048", "3840x2160", "2160x3840"),
        size_rule=SizeRule(multiple=16, ratio=3, longest=3840, least_area=655_360, most_area=8_294_400),
        choices=_GPT_CHOICES,
        compresses=True,
        partials_max=PARTIALS_MAX,
    ),
)


def in_order(rows: Iterable[Model], today: date | None = None) -> list[Model]:
    """The rows as they are offered: those that live as they came, and behind them the retired, the latest first."""
    return sorted(
        rows, key=lambda row: -row.retired.toordinal() if row.retired and row.is_retired(today) else -inf
    )


MODELS: Mapping[str, Model] = MappingProxyType({row.name: row for row in in_order(_ROWS)})
"""Every model the package knows, by name; those that were retired come last."""


def living(today: date | None = None) -> tuple[str, ...]:
    """The models that edit, that TTAPI lists, and that are not retired by `today`; the first is the default."""
    return tuple(row.name for row in _ROWS if row.listed and row.edits and not row.is_retired(today))


DEFAULT_MODEL = living()[0]
"""What is asked where nobody chose: the first of the table that TTAPI lists and that is not retired today."""


def model_for(name: str) -> Model:
    """The row of that name, or for a name that no row knows one with only the limits that hold for every model."""
    row = MODELS.get(name)
    return row or Model(
        name=name,
        source=EDITS_PAGE,
        known=False,
        listed=False,
        images_max=16,
        sizes=("auto",),
        compresses=True,
        partials_max=PARTIALS_MAX,
    )
