"""`Plan`: many prompts, photos, models and sizes, as one frozen list of requests. `Experiment` can have it done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..errors import SettingsError
from ..forking import cached
from ..log import PriceTable, RunLog, default_log
from ..models import DEFAULT_MODEL
from ..picture import ImageSource
from ..request import EditRequest, GenerateRequest
from ..text import so_many
from .axes import combinations, groups_of
from .cells import Cell, Skipped
from .forecast import Forecast, forecast
from .photos import Photo, photos_of
from .prompts import Prompt, check_variables, filled, names_in, prompts_of
from .written import digest_of, plan_in, plan_out, read_plan

__all__ = ["Plan"]

MOST_CELLS = 20_000
RULED_OUT = "Left out by the rule of this plan."
Rule = Callable[[Cell], Any]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Plan:
    """See `Experiment`."""

    prompts: tuple[Prompt, ...]
    photos: tuple[Photo, ...]
    models: tuple[str, ...]
    sizes: tuple[str, ...]
    options: Mapping[str, tuple[Any, ...]]
    variables: Mapping[str, tuple[str, ...]]
    repeats: int
    together: tuple[tuple[str, ...], ...]
    fit: str
    strict: bool
    name: str
    ruled_out: Mapping[str, str]
    """The keys of the cells that the rule of `skip` left out, each with why."""

    def __init__(
        self,
        prompts: Any,
        photos: Any = None,
        models: str | Sequence[str] = (),
        sizes: str | Sequence[str] = ("auto",),
        options: Mapping[str, Any] | None = None,
        repeats: int = 1,
        variables: Mapping[str, Any] | None = None,
        *,
        zip: Any = (),  # noqa: A002 - the word for it
        skip: Rule | Mapping[str, str] | None = None,
        fit: str = "auto",
        strict: bool = True,
        name: str = "",
    ) -> None:
        values: dict[str, Any] = {
            "prompts": prompts_of(prompts),
            "photos": photos_of(photos),
            "models": _words("models", models or DEFAULT_MODEL),
            "sizes": _words("sizes", sizes or "auto"),
            "options": _options(options or {}),
            "variables": check_variables(variables or {}),
            "repeats": repeats,
            "fit": fit,
            "strict": strict,
            "ruled_out": {},
        }
        if isinstance(repeats, bool) or not isinstance(repeats, int) or not 1 <= repeats <= 1000:
            raise SettingsError(f"repeats={repeats!r:.40} is not a whole number from 1 to 1000.")
        if fit == "tiles":
            raise SettingsError(
                'fit="tiles" takes several requests, and a cell of an experiment is one. Use fit="auto" or "crop".'
            )
        for key, value in values.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "together", groups_of(zip, self._axes))
        if isinstance(skip, Mapping):
            object.__setattr__(self, "ruled_out", dict(skip))
        elif skip is not None:
            object.__setattr__(self, "ruled_out", dict(_asked(skip, [*self._made[0]])))
            self.__dict__.pop("_made")
        object.__setattr__(self, "name", name or f"experiment-{digest_of(self)[:8]}")

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{type(self).__name__}({self.name!r}, {so_many(len(self.cells), 'cell')}{skipped})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached
    def _identity(self) -> tuple[str, ...]:
        return (self.name, *(cell.key for cell in self.cells), "", *(one.cell.key for one in self.skipped))

    # Its cells

    @property
    def _axes(self) -> dict[str, Sequence[Any]]:
        # Repeats change slowest, so that everything has been seen once before anything is seen twice.
        return {
            "repeat": range(1, self.repeats + 1),
            "photo": self.photos,
            "prompt": self.prompts,
            **self.variables,
            "model": self.models,
            "size": self.sizes,
            **self.options,
        }

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The axes with more than one value, and these in words, in order."""
        axes: dict[str, dict[str, None]] = {}
        for cell in (*self.cells, *(one.cell for one in self.skipped)):
            for name, value in cell.values.items():
                axes.setdefault(name, {})[value] = None
        return {name: tuple(values) for name, values in axes.items() if len(values) > 1}

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The requests, in order."""
        return self._made[0]

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The cells that are not sent, each with why."""
        return self._made[1]

    @cached
    def _made(self) -> tuple[tuple[Cell, ...], tuple[Skipped, ...]]:
        cells: list[Cell] = []
        skipped: list[Skipped] = []
        seen: dict[str, Cell] = {}
        for taken in combinations(self._axes, self.together):
            cell = self._cell(len(cells) + 1, taken)
            if cell is None:
                continue
            why = self._why_not(cell, seen)
            if why:
                skipped.append(Skipped(cell, why))
            else:
                seen[cell.key] = cell
                cells.append(cell)
            if len(cells) > MOST_CELLS:
                raise SettingsError(
                    f"The plan has more than {MOST_CELLS:,} cells. Leave some of it out, or zip it."
                )
        return tuple(cells), tuple(skipped)

    def _cell(self, number: int, taken: Mapping[str, Any]) -> Cell | None:
        """The cell of a combination; None where it differs from another only by a variable that its prompt has not."""
        template: Prompt = taken["prompt"]
        used = names_in(template.text) if self.variables else ()
        for name, values in self.variables.items():
            alone = not any(name in group for group in self.together)
            if name not in used and alone and taken[name] != values[0]:
                return None
        variables = {name: taken[name] for name in self.variables if name in used}
        return Cell(
            number,
            template,
            filled(template.text, variables) if self.variables else template.text,
            taken["photo"],
            taken["model"],
            taken["size"],
            {name: taken[name] for name in self.options},
            variables,
            taken["repeat"],
            self.fit,
            self.strict,
        )

    def _why_not(self, cell: Cell, seen: Mapping[str, Cell]) -> str:
        if cell.key in self.ruled_out:
            return self.ruled_out[cell.key]
        if cell.key in seen:
            return f"The same as cell {seen[cell.key].number}."
        mask = cell.photo.mask
        if mask is not None and mask.meaning.problem:
            return mask.meaning.problem
        return " ".join(cell.request.problems(pictures=False))

    def grown(self, prompts: Any = (), repeats: int | None = None) -> Self:
        """The plan with further prompts, or so many repeats, under the same name. Raises `SettingsError`."""
        more = prompts_of(prompts) if prompts else ()
        if repeats is not None and (not isinstance(repeats, int) or repeats < self.repeats):
            raise SettingsError(
                f"repeats={repeats!r:.40} is fewer than the plan has. Give more than {self.repeats}."
            )
        if more and any("prompt" in group for group in self.together):
            raise SettingsError(
                "The prompts of this plan go together with something else, so none can be added alone."
            )
        return type(self)(
            [*self.prompts, *(one for one in more if one not in self.prompts)],
            list(self.photos),
            self.models,
            self.sizes,
            self.options,
            repeats or self.repeats,
            self.variables,
            zip=self.together,
            skip=self.ruled_out,
            fit=self.fit,
            strict=self.strict,
            name=self.name,
        )

    # What it takes

    def estimate(
        self, prices: PriceTable | None = None, *, parallel: int = 4, log: RunLog | None = None
    ) -> Forecast:
        """Runs, images, cost and time, before anything is sent. The cost is unknown without `prices`; the time is told
        by the runs of the same models in the `log`, with so many requests at once, and unknown where there are none.
        """
        return forecast(self.cells, self.fit, prices, parallel, log or default_log())

    # Written and read

    def to_json(self) -> str:
        """The plan as JSON; photos are named by their digests, and masks written out."""
        return plan_out(self)

    @classmethod
    def from_json(cls, text: str, *, photos: Sequence[ImageSource] = (), log: RunLog | None = None) -> Self:
        """The plan that `to_json` wrote, its photos found among `photos`, or beside the `log` that it was run with.

        Raises `SettingsError` where it is none, and `ResultError` where a photo is not at hand.
        """
        return cls(**plan_in(text, photos, log or default_log()))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The plan in a YAML or JSON file that a person wrote, with the names that `Experiment` takes; paths in it are
        from the file's own folder. Raises `SettingsError`, `ImageError` or `MaskError`.
        """
        return cls(**read_plan(Path(path)))


def _words(name: str, names: Any) -> tuple[str, ...]:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(one, str) and one.strip() for one in listed):
        raise SettingsError(f"{name}={names!r:.80} is no list of names. Use texts.")
    return tuple(dict.fromkeys(listed))


def _options(options: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    axes: dict[str, tuple[Any, ...]] = {}
    taken = ("image", "prompt", "mask", "model", "size")
    for name, value in options.items():
        if name in taken:
            raise SettingsError(f"{name!r} is no further option: give it as {name}s.")
        axes[name] = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not axes[name]:
            raise SettingsError(f"The option {name!r} has no value. Give one, or leave it out.")
    try:
        # Says which field there is none of.
        GenerateRequest.make(**dict.fromkeys(options)) if options else EditRequest()
    except TypeError as error:
        problem = str(error)
    else:
        return axes
    raise SettingsError(problem)


def _asked(rule: Any, cells: Sequence[Cell]) -> Mapping[str, str]:
    if not callable(rule):
        raise SettingsError(
            "skip is no function. Use one that takes a cell: skip=lambda cell: cell.model == 'x'."
        )
    rulings = {cell.key: rule(cell) for cell in cells}
    return {key: str(why) if isinstance(why, str) else RULED_OUT for key, why in rulings.items() if why}
