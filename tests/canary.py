"""One edit after another fails in every way there is, and everything that is left of it is searched for the key.

Used by `tests/client/test_canary.py` for a sample and by `tests/trust/key.py` for all.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import pickle
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

import tests
from tests.server import (
    PATIENCE,
    Reply,
    Request,
    Server,
    fail,
    full_port,
    html_reply,
    json_reply,
    pictures,
)
from tests.support.folders import contents
from ttapi_nb import Client, ImageEditor, Run, RunLog, start_edit

KEY = "sk-canary-9f8e7d6c5b4a-very-secret"
TESTS = str(Path(tests.__file__).parent)
MODES = ("Plain", "Context", "Verbose", "Docs", "Minimal")
PHOTO = Image.effect_noise((64, 64), 40).convert("RGB")


def _quoting(status: int) -> Reply:
    return json_reply({"error": {"message": f"Incorrect API key provided: {KEY}.", "code": KEY}}, status)


def _page(status: int) -> Reply:
    return Reply(status, f"<html>Your key {KEY} is wrong</html>".encode(), {"X-Key": KEY}, mime="text/html")


def answers(server: Server) -> dict[str, Callable[[], object]]:
    """By the name of a fault, what lets the server answer with it, the key in whatever it can say."""
    good = json.dumps(pictures(PHOTO)).encode()

    def answer(reply: Reply | Callable[[Request], Reply]) -> Callable[[], object]:
        return lambda: setattr(server, "answer", reply)

    def with_url() -> None:
        url = f"{server.origin}/files/{KEY}.png"
        server.answer = json_reply({"data": [{"url": url}, *pictures(PHOTO)["data"]]})
        # Asked for as it is, and shown without the key.
        server.routes[f"/files/{KEY}.png"] = Reply(404, f"no {KEY}".encode(), {"X-Key": KEY})

    return {
        "time-out": lambda: fail(server, "time-out"),
        "dropped": lambda: fail(server, "dropped"),
        "half sent": lambda: fail(server, "half sent"),
        "half answered": lambda: fail(server, "half answered"),
        "dripping": answer(Reply(drip=True)),
        "longer than it says": answer(Reply(200, good, {"Content-Length": "10"})),
        "shorter than it says": answer(Reply(200, good, {"Content-Length": str(10**7)})),
        "no such encoding": answer(Reply(200, good, {"Content-Encoding": "gzip"})),
        "words for the status": answer(Reply(401, b"{}", said=f"Bad key {KEY}")),
        "a broken header": answer(Reply(200, good, {f"X {KEY}\x00": KEY})),
        "a header of 1 MB": answer(Reply(200, good, {"X-Key": KEY * 30_000})),
        "200 FAILED": answer(json_reply({"status": "FAILED", "message": f"bad key {KEY}"})),
        "200 page": answer(_page(200)),
        "200 nothing": answer(json_reply({"data": [], "key": KEY})),
        "200 no picture": answer(json_reply({"data": [{"b64_json": "QUFB", "revised_prompt": KEY}]})),
        "200 with URL": with_url,
        "200": answer(json_reply(pictures(PHOTO) | {"note": KEY}, headers={"X-Key": KEY})),
        "redirect": answer(Reply(307, b"", {"Location": f"http://localhost:{server.port}/other"})),
        "400": answer(_quoting(400)),
        "401": answer(_quoting(401)),
        "402": answer(_quoting(402)),
        "403 page": answer(_page(403)),
        "413": answer(html_reply(413)),
        "429": answer(_quoting(429)),
        "499": answer(_quoting(499)),
        "500": answer(_quoting(500)),
        "504": answer(_page(504)),
        "524 page": answer(_page(524)),
    }


with Server() as _server:
    FAULTS: tuple[str, ...] = (
        *answers(_server),
        "nobody listens",
        "no connection",
        "disk full",
        "cancelled",
    )

PLACES: tuple[str, ...] = (
    "error",
    "pickle",
    "frames",
    *(f"%xmode {mode}" for mode in MODES),
    "log",
    "client",
    "run",
    "run as HTML",
    "run log",
    "recording",
    "saved result",
    "widget state",
    "embedded HTML",
    "process list",
    "URL",
    "other servers",
)


@dataclass
class Left:
    """What an edit left behind; `texts` by place."""

    texts: dict[str, bytes]
    posts: int

    def hits(self) -> list[str]:
        """The places that show the key, as it is or in the ways it may be written down."""
        forms = (KEY.encode(), json.dumps(KEY).encode(), KEY.encode("utf-16-le"), KEY.encode().hex().encode())
        return [place for place, text in self.texts.items() if any(form in text for form in forms)]


def make(server: Server, folder: Path, **settings: Any) -> Client:
    """A recording client with the key. In a function of its own: the frames of what fails must not have the key."""
    return Client.record(folder / "recorded.zip", api_key=KEY, base_url=server.url, **settings)


def edit(client: Client) -> object:
    """The endpoint alone."""
    return client.images.edit(image=PHOTO, prompt="x")


def run_and_wait(run: Run) -> object:
    """A run, to its end."""
    return run.wait(PATIENCE)


def after(fault: str, folder: Path) -> Left:
    """Do the same edit three ways, by the client, headless and in an editor, with the fault, and collect the rest."""
    records: list[logging.LogRecord] = []
    handler = _Keeping(records)
    names = ("", "httpx", "httpcore", "asyncio", "ttapi_nb", "PIL")
    levels = {name: logging.getLogger(name).level for name in names}
    logging.getLogger().addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        with Server() as server, Server() as other, contextlib.ExitStack() as stack:
            return _after(fault, folder, server, other, stack, records)
    finally:
        logging.getLogger().removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


class _Keeping(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self._records.append(record)


class _FullDisk(RunLog):
    """A log that can't note that the request is leaving."""

    def mark_sent(self, run_id: str) -> None:
        """Fail, as a full disk does."""
        raise OSError(28, "No space left on device")


def _after(
    fault: str,
    folder: Path,
    server: Server,
    other: Server,
    stack: contextlib.ExitStack,
    records: list[logging.LogRecord],
) -> Left:
    settings: dict[str, Any] = {"timeout": 0.4 if fault in ("time-out", "dripping", "no connection") else 20}
    log = RunLog(folder / "log")
    if fault == "nobody listens":
        server.url = "http://127.0.0.1:9/v1"
    elif fault == "no connection":
        server.url = f"http://127.0.0.1:{stack.enter_context(full_port())}/v1"
    elif fault == "disk full":
        log = _FullDisk(folder / "log")
    elif fault == "cancelled":
        server.answer = Reply(200, json_reply(pictures(PHOTO)).body, hold=server.event())
    else:
        answers(server)[fault]()
    client = make(server, folder, **settings)
    errors: list[BaseException] = []
    if fault not in ("cancelled", "disk full"):
        errors += _caught(edit, client)
    run = start_edit(PHOTO, "x", client=client, log=log)
    if fault == "cancelled":
        server.wait_for(1)
        run.cancel()
    errors += _caught(run_and_wait, run)
    editor = ImageEditor(PHOTO, client=client, prompt="x", log=log)
    shown = editor.run()
    if fault == "cancelled":
        server.wait_for(2)
        editor.cancel()
    errors += _caught(run_and_wait, shown)
    texts = _of_errors(errors) | _of_records(records) | _of_client(client) | _of_runs([run, shown], folder)
    texts |= _of_files(folder) | _of_widgets(editor) | _of_processes()
    texts["URL"] = repr([request.path for request in server.requests if request.method == "POST"]).encode()
    texts["other servers"] = repr(other.requests).encode()
    for request in server.requests:
        # To the API's own POST the key goes, in its one header; a result's URL is fetched without it.
        lines = request.head.split(b"\r\n")
        rest = (
            lines
            if request.method != "POST"
            else [x for x in lines if not x.lower().startswith(b"tt-api-key:")]
        )
        where = rest if request.method == "POST" else rest[1:]
        texts["other servers"] += b"\n".join(where) + request.body
    editor.close()
    assert set(texts) == set(PLACES), set(texts) ^ set(PLACES)
    return Left(texts, len(server.posts))


def _caught(work: Callable[[Any], object], given: Any) -> list[BaseException]:
    try:
        work(given)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
        return [error]
    return []


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all that it came of."""
    while error is not None:
        yield error
        yield from chain(error.__cause__)
        error = error.__context__


def shown_as(value: object) -> str:
    """The repr of anything, half-made objects included."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - half-made objects can't show themselves
        return f"<{type(error).__name__}>"


def _of_errors(errors: list[BaseException]) -> dict[str, bytes]:
    # Here, not above: only this looks at tracebacks as notebooks show them.
    from IPython.core.ultratb import AutoFormattedTB

    texts = dict.fromkeys(("error", "pickle", "frames", *(f"%xmode {mode}" for mode in MODES)), "")
    for error in errors:
        for link in chain(error):
            texts["error"] += f"{link} {link!r} {vars(link)!r} {getattr(link, '__notes__', '')}"
            with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
                texts["pickle"] += repr(pickle.dumps(link))
            for frame, _ in traceback.walk_tb(link.__traceback__):
                if not frame.f_code.co_filename.startswith(TESTS):
                    texts["frames"] += "\n".join(
                        f"{name} = {shown_as(it)}" for name, it in frame.f_locals.items()
                    )
        for mode in MODES:
            formatter = AutoFormattedTB(mode=mode, theme_name="nocolor")
            texts[f"%xmode {mode}"] += formatter.text(type(error), error, error.__traceback__)
    return {place: text.encode(errors="surrogatepass") for place, text in texts.items()}


def _of_records(records: list[logging.LogRecord]) -> dict[str, bytes]:
    lines = [f"{one.getMessage()} {one.args!r} {one.exc_info!r} {one.exc_text}" for one in records]
    return {"log": "\n".join(lines).encode()}


def _of_client(client: Client) -> dict[str, bytes]:
    found = [
        client,
        str(client),
        vars(client),
        client.core,
        client.images,
        client.words,
        client.core.way,
        getattr(client.core.way, "recorder", None),
    ]
    slots = [getattr(one, "__dict__", {}) for one in (*found[-2:], client.core)]
    return {"client": repr([*found, *slots]).encode()}


def _of_runs(runs: list[Run], folder: Path) -> dict[str, bytes]:
    files: list[bytes] = []
    for run in runs:
        for result in run.results:
            saved = (result.save(folder / f"result.{suffix}") for suffix in ("png", "jpg", "webp"))
            files += [path.read_bytes() for path in saved]
            files.append(repr((result.lineage, result.lineage and result.lineage.to_json())).encode())
    return {
        "run": repr([(run, vars(run), run.error, run.note, run.response) for run in runs]).encode(),
        "run as HTML": "".join(run._repr_html_() for run in runs).encode(),
        "saved result": b"\n".join(files),
    }


def _of_files(folder: Path) -> dict[str, bytes]:
    kept = contents(folder / "log")
    recorded = folder / "recorded.zip"
    packed = [recorded.read_bytes()]
    with zipfile.ZipFile(recorded) as archive:
        packed += [archive.read(name) for name in archive.namelist()]
    return {
        "run log": b"\n".join(str(path).encode() + data for path, data in kept.items()),
        "recording": b"\n".join(packed),
    }


def _of_widgets(editor: ImageEditor) -> dict[str, bytes]:
    import ipywidgets
    from ipywidgets.embed import embed_minimal_html

    state: Mapping[str, Any] = ipywidgets.Widget.get_manager_state(drop_defaults=False)["state"]
    page = io.StringIO()
    embed_minimal_html(page, views=[editor], drop_defaults=False)
    return {"widget state": json.dumps(state).encode(), "embedded HTML": page.getvalue().encode()}


def _of_processes() -> dict[str, bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return {"process list": b"\n".join(lines)}
