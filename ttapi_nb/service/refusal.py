"""How the parts of the service say no."""

from __future__ import annotations

__all__ = ["Refusal", "shown"]


class Refusal(Exception):  # noqa: N818 - it is an answer rather than a fault
    """A request gets an answer other than its result; the service writes it into its error envelope.

    `code` and `param` are what OpenAI's envelope names (`code` is None where no public page names one).
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param


def shown(value: object) -> str:
    """A value of the request as a sentence quotes it: never long."""
    # Cut first: the repr of a 20 MB string would be one too.
    text = repr(value[:80] if isinstance(value, str) else value)
    return text if len(text) <= 90 else text[:87] + "..."
