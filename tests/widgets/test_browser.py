"""What the kernel does with the messages of the small browser parts."""

from __future__ import annotations

from tests.support.controls import message
from tests.support.uploading import send_piece, watched
from ttapi_nb.picture import FILE_CAP, ImageFile
from ttapi_nb.widgets.browser import PhotoInput
from ttapi_nb.widgets.compare import Download


def test_pieces_are_put_together():
    """A photo that came in pieces is handed on once, whole."""
    widget, seen = watched()
    send_piece(widget, 0, b"abcd", size=6, last=False)
    assert seen == []
    send_piece(widget, 4, b"ef", size=6, last=True)
    assert seen == [("x.png", b"abcdef")]


def test_a_newer_upload_wins_over_one_that_broke_off():
    """After an upload whose rest never came, the next is not mixed with it."""
    widget, seen = watched()
    send_piece(widget, 0, b"abcd", size=9, last=False)
    send_piece(widget, 0, b"new", size=3, last=True, id="b")
    send_piece(widget, 4, b"late", size=9, last=True)
    assert seen == [("x.png", b"new")]


def test_a_piece_out_of_order_is_not_put_together():
    """A lost piece makes no damaged photo."""
    widget, seen = watched()
    send_piece(widget, 0, b"ab", size=6, last=False)
    send_piece(widget, 4, b"ef", size=6, last=True)
    assert seen == []


def test_a_file_that_is_too_large_is_refused_once():
    """A huge file is not collected, and the refusal says what to do."""
    widget, seen = watched()
    for last in (False, True):
        send_piece(widget, 0, b"", size=FILE_CAP + 1, last=last)
    assert seen == ["'x.png' is over 200 MB. Choose a smaller file."]


def test_sample_is_asked_for():
    """The sample button calls back without a file."""
    widget, seen = watched()
    message(widget, {"type": "sample"})
    assert seen == ["sample"]


def test_callbacks_can_be_removed():
    """`remove=True` takes a callback away again."""
    widget, seen = PhotoInput(), []

    def callback() -> None:
        seen.append(1)

    widget.on_sample(callback)
    widget.on_sample(callback, remove=True)
    message(widget, {"type": "sample"})
    assert seen == []


def test_download_sends_the_file_as_a_buffer(monkeypatch):
    """A file goes to the browser with its name and type, and its bytes not as text."""
    widget, sent = Download(), []
    monkeypatch.setattr(widget.comm, "send", lambda **message: sent.append(message))
    widget.download(ImageFile("a.png", "image/png", b"\x89PNG"))
    assert sent[0]["data"]["content"] == {"type": "save", "name": "a.png", "mime": "image/png"}
    assert bytes(sent[0]["buffers"][0]) == b"\x89PNG"
