"""The family of errors: what each says about money, and that it can be shown and carried around."""

from __future__ import annotations

import inspect
import pickle

import pytest

from ttapi_nb import errors
from ttapi_nb.errors import (
    AuthenticationError,
    InvalidRequestError,
    MaskError,
    MissingKeyError,
    NotSentError,
    QuotaError,
    RateLimitError,
    RefusedError,
    SettingsError,
    TTAPIError,
    UnknownOutcomeError,
)

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", CLASSES)
def test_one_family(kind: type[Exception]) -> None:
    """Whoever catches `TTAPIError` catches all of them, and each says in a docstring when it comes."""
    assert issubclass(kind, TTAPIError)
    assert (inspect.getdoc(kind) or "").split("\n")[0].endswith(".")


def test_all_names_every_error() -> None:
    """No error of the module is left out of `__all__`."""
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert set(errors.__all__) == defined


def test_what_a_class_says_about_money_is_not_mixed_up() -> None:
    """Not sent, refused and unknown are three things, and none is a kind of another."""
    about_money = (NotSentError, RefusedError, UnknownOutcomeError)
    for one in about_money:
        assert [issubclass(one, other) for other in about_money].count(True) == 1
    assert all(issubclass(kind, RefusedError) for kind in (AuthenticationError, QuotaError, RateLimitError))


@pytest.mark.parametrize("kind", [InvalidRequestError, MaskError, MissingKeyError, SettingsError])
def test_wrong_arguments_are_value_errors_too(kind: type[Exception]) -> None:
    """What Python's own habits would catch as ValueError can be caught so."""
    assert issubclass(kind, ValueError)


def test_one_problem_is_one_line() -> None:
    """A single problem follows the news that nothing was sent."""
    error = InvalidRequestError(["The prompt is empty. Write one."])
    assert str(error) == "Nothing was sent. The prompt is empty. Write one."
    assert error.problems == ("The prompt is empty. Write one.",)


def test_several_problems_are_a_list() -> None:
    """Each problem has a line of its own, and the tuple keeps their order."""
    error = InvalidRequestError(problem for problem in ("One.", "Two."))
    assert str(error) == "Nothing was sent.\n- One.\n- Two."
    assert error.problems == ("One.", "Two.")


def test_a_refusal_keeps_what_the_service_said() -> None:
    """Status, code, param and the service's own words can be read, and have defaults."""
    error = QuotaError("Top up.", status=402, code="quota", param="n", service_message="no quota")
    assert (str(error), error.status, error.code) == ("Top up.", 402, "quota")
    assert (error.param, error.service_message) == ("n", "no quota")
    plain = RefusedError("No.")
    assert (plain.status, plain.code, plain.param, plain.service_message) == (0, None, None, "")


def test_an_unknown_outcome_keeps_its_status() -> None:
    """A gateway's status can be read, and 0 means that nothing came back."""
    assert UnknownOutcomeError("Timed out.").status == 0
    assert UnknownOutcomeError("Cut off.", status=504).status == 504


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError(["One.", "Two."]),
        RateLimitError("Slow down.", status=429, code="rate", param="n", service_message="slow"),
        UnknownOutcomeError("Cut off.", status=504),
        NotSentError("No network."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_go_from_one_process_to_another(error: TTAPIError) -> None:
    """A pickled error comes back as it was, attributes included."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
