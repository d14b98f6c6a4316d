"""Words on the screen are shown, not run."""

from __future__ import annotations

from ttapi_nb import InvalidRequestError
from ttapi_nb.widgets.text import StatusLine, Words


def test_words_are_escaped():
    """Markup in a sentence is shown as it was written."""
    line = Words("<img src=x onerror=alert(1)> & more")
    assert "<img" not in line.value
    assert "&lt;img" in line.value
    assert "&amp; more" in line.value


def test_several_sentences_make_a_list_and_none_hides_the_line():
    """Each sentence is an item of its own; with nothing to say the line takes no room."""
    line = Words(("One.", "Two."))
    assert line.value.count("<li>") == 2
    line.say("")
    assert line.layout.display == "none"
    line.say("Back.")
    assert line.layout.display != "none"


def test_errors_are_alerts_with_each_problem():
    """An invalid request shows each of its problems, as an alert that a screen reader speaks."""
    status = StatusLine()
    status.error(InvalidRequestError(["No prompt.", "No picture."]))
    assert " ".join(status.words) == "No prompt. No picture."
    assert 'role="alert"' in status.value
    status.error(KeyError())
    assert status.words == ("KeyError",)
