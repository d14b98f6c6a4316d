"""`Experiment`: a plan of many edits, and having it done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..client import AsyncClient, Client
from ..log import Budget, RunLog, default_log
from ..picture import ImageSource
from .plan import Plan
from .trial import Trial
from .underway import drop

__all__ = ["Experiment"]


class Experiment(Plan):
    """A plan of many edits: every prompt with every photo, model, size and option, each `repeats` times.

    * `prompts`: a text, a list, a dict of names and texts, or a file: one prompt a line (.txt), a table with a column
      `prompt` (.csv, whose other columns fill in its `{…}`), or a list (.yaml, .json). Where there are `variables`,
      prompts are templates: `"a {colour} bowl"`.
    * `photos`: a photo or a list of: what `open_image` takes, `(photo, mask)`, `{"photo": …, "mask": …, "name": …}`, or
      None for a picture made of words alone, which is also what is done where it is left out.
    * `models`, `sizes`: names, and `"auto"` or `"WIDTHxHEIGHT"`. `options`: further fields of an edit, each a value or
      a list of values to try; drafts, `partial_images`, are paid for and not shown. `variables`: a list of values for
      each name.
    * `zip`: names of axes that go together step by step instead of each with each: `("prompt", "photo")`, or several
      such groups.
    * `skip`: a rule that is asked about each cell; where it returns a sentence, or True, the cell is skipped.
    * `fit`, `strict`: as `edit` takes them. `name`: what the experiment is called in the log; left out, a name made of
      what is in it.

    `cells` are the requests in order, `skipped` those that can't be made or were left out, each with why. Plans are
    equal where their cells are. Raises `SettingsError`, `ImageError` or `MaskError`.
    """

    def run(
        self,
        client: Client | AsyncClient | None = None,
        *,
        budget: Budget | None = None,
        parallel: int = 4,
        per_minute: int | None = None,
        log: RunLog | None = None,
        progress: bool = True,
        on: Any = None,
    ) -> Trial:
        """Send what was never sent, and wait for it.

        * `client`: left out, one with the environment's key, or where there is none the embedded service, whose cells
          are counted apart from the hosted one's.
        * `budget`: one for all that is in the log. What it does not allow is left waiting.
        * `parallel`: how many requests are under way at once; `per_minute`: how many begin within any minute.
        * `progress`: show how far it is, in a notebook or a terminal.
        * `on`: a client of a Dask cluster that does the work; see the README.

        Cells that were finished earlier, here or elsewhere, are taken from the log; those of unknown outcome wait for
        your word (`trial.found`). An interrupt stops it: what has left goes on, and nothing more is sent. Raises what
        making a client raises, and `SettingsError`.
        """
        trial = Trial(self, log=log, client=client)
        try:
            trial.resume(budget=budget, parallel=parallel, per_minute=per_minute, on=on)
            return trial.wait(progress=progress)
        except KeyboardInterrupt as error:
            # Between the two nobody has it to stop it.
            drop(trial, error)
            raise

    def start(
        self,
        client: Client | AsyncClient | None = None,
        *,
        budget: Budget | None = None,
        parallel: int = 4,
        per_minute: int | None = None,
        log: RunLog | None = None,
        on: Any = None,
    ) -> Trial:
        """As `run`, without waiting: it goes on in the background."""
        trial = Trial(self, log=log, client=client)
        return trial.resume(budget=budget, parallel=parallel, per_minute=per_minute, on=on)

    @classmethod
    def open(
        cls,
        name: str,
        *,
        log: RunLog | None = None,
        client: Client | AsyncClient | None = None,
        photos: Sequence[ImageSource] = (),
    ) -> Trial:
        """The experiment of this name in the log, with all that came of it; nothing is sent before its `resume`.

        `client`: whose cells are meant; left out, the hosted service's where there are some. `photos`: where those that
        were kept beside the log are not there any more. Raises `ResultError` where there is none of this name.
        """
        log = log or default_log()
        plan = cls.from_json(log.experiments.plan(name), photos=photos, log=log)
        return Trial(plan, log=log, client=client)
