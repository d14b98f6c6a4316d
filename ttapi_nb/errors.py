"""The one family of errors: each says what happened and what to do next.

What an error says about money is in its class:

* `NotSentError`: nothing left this machine, so trying again is safe.
* `RefusedError`: the service said no; nothing was billed.
* `UnknownOutcomeError`: the request left and no clear answer came back, so it may have been billed.

Everything else is raised before a request exists, or (`ResultError`) after it was answered and paid for.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AuthenticationError",
    "BudgetError",
    "ClaimedError",
    "DownloadError",
    "FitError",
    "ImageError",
    "InvalidRequestError",
    "MaskError",
    "MissingKeyError",
    "NotRecordedError",
    "NotSentError",
    "QuotaError",
    "RateLimitError",
    "RefusedError",
    "ResultError",
    "RunCancelledError",
    "SettingsError",
    "TTAPIError",
    "UnknownOutcomeError",
]


class TTAPIError(Exception):
    """Base of every error this package raises on purpose; `str(error)` is fit to show to a person."""


class ImageError(TTAPIError):
    """A picture could not be opened, is of a kind we do not take, or is too large."""


class DownloadError(TTAPIError):
    """What is behind a URL could not be fetched; the message has no next step, which whoever asked for it adds."""


class MaskError(TTAPIError, ValueError):
    """A mask could not be made or read, or does not belong to the picture."""


class FitError(TTAPIError):
    """The picture's geometry and the model's cannot be brought together as asked."""


class SettingsError(TTAPIError, ValueError):
    """A client was asked for with a setting that can't work; nothing was sent."""


class MissingKeyError(SettingsError):
    """A network client was asked for and no API key was found anywhere."""


class InvalidRequestError(TTAPIError, ValueError):
    """The request has problems that the service would refuse; nothing was sent and nothing was billed.

    `problems` holds each of them as one plain sentence.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"Nothing was sent. {self.problems[0]}"
        return "Nothing was sent.\n" + "\n".join(f"- {problem}" for problem in self.problems)


class BudgetError(TTAPIError):
    """The run might go over the budget; nothing was sent and nothing was billed.

    `problems` holds each limit that is in the way as one plain sentence.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(("Nothing was sent.", *self.problems))


class NotSentError(TTAPIError):
    """The service could not be reached: no byte of the request left, so trying again is safe."""


class ClaimedError(NotSentError):
    """A cell of an experiment was sent before, or is under way: it was not sent again, and the run `run_id` has it."""

    def __init__(self, message: str, *, run_id: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id


class NotRecordedError(NotSentError):
    """A recording was asked for something that it does not hold; the message names what it does."""


class RefusedError(TTAPIError):
    """The service answered that it will not do this; nothing was billed.

    `status` is the HTTP status, `code` and `param` what the service's error body named (or None), and
    `service_message` the service's own words. Where the model is unknown there, or gone, `models` are those to ask
    instead: they edit, TTAPI lists them, and nobody has retired them.
    """

    models: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        param: str | None = None,
        service_message: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.service_message = service_message


class AuthenticationError(RefusedError):
    """The service did not accept the key (HTTP 401 or 403)."""


class QuotaError(RefusedError):
    """The account's quota is used up (HTTP 402)."""


class RateLimitError(RefusedError):
    """Too many requests, or the service's queue is full (HTTP 429 or 499).

    `retry_after` is for how many seconds the service asked to be left alone, or None where it did not say.
    """

    retry_after: float | None = None


class UnknownOutcomeError(TTAPIError):
    """The request left and its outcome is not known: it may have been carried out and billed.

    Nothing in this package sends such a request a second time by itself.
    `status` is the HTTP status of what came back, or 0 where nothing did.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ResultError(TTAPIError):
    """The edit was made, but its result could not be fetched, read or stored here."""


class RunCancelledError(TTAPIError):
    """The run was cancelled before it had a result."""
