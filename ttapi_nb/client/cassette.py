"""Record and replay: real exchanges kept in a zip file, and answered from it again without a key or a network.

A cassette holds, of each exchange, the request's model, prompt and options, digests of the pixels of its pictures and
mask, and the answer: the results' files as they came, or the service's refusal. It holds no key, no address, no
header, no picture that was sent, no `user`, and of `extra_body` only a digest. An answer about the account rather
than the request (HTTP 401, 402, 403, 429, 499), and a request whose outcome is not known, are not recorded.

A request is found again by what was asked, whatever body form it would be sent in: pictures are compared by their
pixels, since files of the same pixels differ between versions of what writes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from ..errors import (
    AuthenticationError,
    ImageError,
    NotRecordedError,
    QuotaError,
    RateLimitError,
    RefusedError,
    ResultError,
    SettingsError,
)
from ..files import PRIVATE_FILE, replacing
from ..mask import Mask
from ..models import DEFAULT_MODEL
from ..picture import SourceImage, open_image
from ..reply.meaning import refusal
from ..reply.responses import ImageData, ImagesResponse, Usage
from ..request import EditRequest
from .secret import Secret

if sys.platform != "win32":
    import fcntl

__all__ = ["Player", "Recorded", "Recorder"]

ENTRY_CAP = 2_000_000
"""The most bytes of one exchange's description."""

RESULTS_CAP = 128_000_000
"""The most bytes of the results of one exchange."""

DIRECTORY_CAP = 4_000_000
MEMBERS_CAP = 30_000
INDEX_CAP = 32_000_000
# What one exchange may have of each: far more than any service takes.
PROMPT_CAP = 200_000
WORD_CAP = 2_000
ITEMS_CAP = 100
LONGEST_WORD = 80
PIECE = 1 << 20
# A shorter key is a toy, which stands in words and pictures by chance.
SHORTEST_KEY = 8
FORMAT = "ttapi_nb cassette 1"
HEAD = "ttapi_nb.json"
ENTRY_NAME = re.compile(r"exchanges/[0-9]{6}\.json")
DIGEST = re.compile(r"[0-9a-f]{64}")
# About the account, not about what was asked.
PERSONAL = (AuthenticationError, QuotaError, RateLimitError)
LISTED = 8

_threads = threading.Lock()


@dataclass(frozen=True)
class Recorded:
    """One request that a cassette can answer: what was asked, as far as the cassette holds it.

    `options` are the fields besides prompt and model; `images` the (width, height) of the pictures as they were sent;
    `masked` whether there was a mask; `refused` whether the service refused it.
    """

    prompt: str
    model: str
    options: Mapping[str, Any]
    images: tuple[tuple[int, int], ...]
    masked: bool
    refused: bool

    @property
    def size(self) -> str:
        """The size that was asked for."""
        return str(self.options.get("size", "auto"))

    def __str__(self) -> str:
        pictures = ", ".join(f"{width}x{height}" for width, height in self.images)
        said = [_shortened(self.model, 40), f"size {_shortened(self.size, 20)}", f"picture {pictures}"]
        said += ["with a mask"] if self.masked else []
        return f'"{_shortened(self.prompt, 60)}" ({", ".join(said)})'


# What is asked, and what was answered


@dataclass(frozen=True)
class _Ask:
    """A request as it is written down and compared."""

    prompt: str
    model: str
    options: dict[str, Any]
    extra: str
    images: tuple[tuple[str, int, int], ...]
    mask: tuple[str, int, int] | None

    @property
    def key(self) -> str:
        """The same for the same request, whatever wrote its pictures."""
        rest = (self.model, self.options, self.extra, self.images, self.mask)
        written = json.dumps([_plain(self.prompt), *rest], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()

    def listed(self, refused: bool) -> Recorded:
        sizes = tuple((width, height) for _, width, height in self.images)
        return Recorded(self.prompt, self.model, self.options, sizes, self.mask is not None, refused)


@dataclass(frozen=True)
class _Entry:
    ask: _Ask
    reply: dict[str, Any]

    @property
    def recorded(self) -> Recorded:
        return self.ask.listed("refusal" in self.reply)


def _ask_of(request: EditRequest) -> _Ask:
    body = request.body()
    extra = dict(request.extra_body)
    options = {
        name: value
        for name, value in body.items()
        if name not in ("prompt", "user") and name not in extra and value is not False
    }
    extra.pop("user", None)
    # Fields of a gateway's own may be private: they are told apart, and not kept.
    digest = (
        hashlib.sha256(json.dumps(extra, sort_keys=True, default=str).encode()).hexdigest() if extra else ""
    )
    images = tuple((_pixels_digest(source), *source.size) for source in request.image)
    mask = None if request.mask is None else (_mask_digest(request.mask), *request.mask.size)
    return _Ask(str(request.prompt), str(request.model or DEFAULT_MODEL), options, digest, images, mask)


def _pixels_digest(source: SourceImage) -> str:
    pixels = source.pixels
    # A PNG may bring alpha that hides nothing, and a JPEG of the same picture has none.
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema()[0] == 255:
        pixels = pixels.convert("RGB")
    return hashlib.sha256(pixels.mode.encode() + pixels.tobytes()).hexdigest()


def _mask_digest(mask: Mask | SourceImage) -> str:
    if isinstance(mask, Mask):
        edited = mask.to_array()
    elif mask.pixels.mode == "RGBA":
        edited = np.asarray(mask.pixels.getchannel("A")) < 128
    else:
        return _pixels_digest(mask)
    return hashlib.sha256(np.packbits(edited).tobytes()).hexdigest()


def _plain(prompt: str) -> str:
    # The same words may be typed with other bytes, and a text box adds an end of line.
    plain = prompt.replace("\r\n", "\n").strip()
    if plain.isascii():
        return plain
    # Word by word, since nothing combines with a space, and no endless word: accents piled up take the square of their
    # number to be put in order.
    words = (
        word if len(word) > LONGEST_WORD else unicodedata.normalize("NFC", word) for word in plain.split(" ")
    )
    return " ".join(words)


def _shortened(text: str, longest: int) -> str:
    # Cut first: it may be megabytes.
    text = text[: 10 * longest]
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


# Recording


class Recorder:
    """Keeps each exchange in the zip file at `path`, which is made where there is none, and added to where there is.

    A new file is its owner's alone; one that is there keeps its mode, so that it can be shared. Each addition replaces
    the file as a whole, so that a crash leaves the one before; threads, and on other systems
    than Windows processes too, wait for each other. Raises `SettingsError`.
    """

    def __init__(self, path: str | os.PathLike[str], secret: Secret | None = None) -> None:
        self.path = _checked_path(path)
        self._secret = secret if secret is not None and len(secret.reveal()) >= SHORTEST_KEY else None
        problem = ""
        try:
            with _alone(self.path):
                if self.path.stat().st_size:
                    with _opened(self.path) as archive:
                        _check_members(archive)
                else:
                    _replace(self.path, [(HEAD, json.dumps({"format": FORMAT}).encode())])
        except OSError as error:
            problem = _cannot_write(self.path, error)
        except _DamagedError as error:
            problem = f"{error} Give another file to record into."
        if problem:
            raise SettingsError(problem)

    def __repr__(self) -> str:
        return f"Recorder({str(self.path)!r})"

    def keep(self, request: EditRequest, answer: ImagesResponse | RefusedError) -> str:
        """Write an exchange down; returns why it could not be, or nothing. Raises nothing: the answer is paid for."""
        try:
            written = _described(request, answer, self._clean)
            if written is None:
                return ""
            entry, results = written
            with _alone(self.path):
                self._add(json.dumps(entry).encode(), results)
        except Exception as error:  # noqa: BLE001 - a paid answer must not be lost to whatever goes wrong here
            return f"This was not recorded in {self.path.name} ({_shortened(str(error), 200)}). Save the results."
        return ""

    def _clean(self, text: str) -> str:
        return self._secret.scrub(text) if self._secret is not None else text

    def _add(self, entry: bytes, results: Mapping[str, bytes]) -> None:
        if len(entry) > ENTRY_CAP or sum(map(len, results.values())) > RESULTS_CAP:
            raise ValueError("it is too large for a recording")
        there: dict[str, int] = {}
        # Somebody may have removed it meanwhile, or begun a new one.
        if self.path.stat().st_size:
            with _opened(self.path) as archive:
                there = _check_members(archive)
        members = [] if there else [(HEAD, json.dumps({"format": FORMAT}).encode())]
        numbers = [int(name[10:16]) for name in there if ENTRY_NAME.fullmatch(name)]
        number = max(numbers, default=0) + 1
        named = [(f"results/{name}", data) for name, data in results.items()]
        members += [(name, data) for name, data in named if name not in there]
        described = len(entry) + sum(size for name, size in there.items() if ENTRY_NAME.fullmatch(name))
        if len(there) + len(members) >= MEMBERS_CAP or described > INDEX_CAP or number > 999_999:
            raise ValueError("it is full: begin another")
        _replace(self.path, [*members, (f"exchanges/{number:06d}.json", entry)], keep=bool(there))


def _described(
    request: EditRequest, answer: ImagesResponse | RefusedError, clean: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """An exchange as it is written: its description, and the results by the digest of their bytes."""
    ask = asdict(_ask_of(request))
    files: dict[str, bytes] = {}
    if isinstance(answer, RefusedError):
        if isinstance(answer, PERSONAL) or 300 <= answer.status < 400:
            return None
        refused = {
            "status": answer.status,
            "code": answer.code,
            "param": answer.param,
            "message": answer.service_message,
        }
        return _cleaned(ask | {"reply": {"refusal": refused}}, clean), files
    results = []
    for item in answer.data:
        data = item.data if item.data is None else _without(item.data, clean)
        name = None if data is None else hashlib.sha256(data).hexdigest()
        if data is not None and name is not None:
            files[name] = data
        results.append({"sha256": name, "revised_prompt": item.revised_prompt})
    if not files:
        return None
    reply = {
        "created": answer.created,
        "usage": asdict(answer.usage) if answer.usage is not None else None,
        "embedded": answer.offline,
        "results": results,
    }
    return _cleaned(ask | {"reply": reply}, clean), files


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """`value` with the key taken out of all words in it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(item, clean) for item in value]
    if isinstance(value, dict):
        # Digests, and the names that are ours, stay as they are.
        kept = ("sha256", "images", "mask", "extra")
        return {name: item if name in kept else _cleaned(item, clean) for name, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _without(data: bytes, clean: Callable[[str], str]) -> bytes:
    """A result's bytes; where a gateway wrote the key into its file, the picture without what is written there."""
    text = data.decode("latin-1")
    if clean(text) == text:
        return data
    try:
        return open_image(data).file().data
    except ImageError:
        return clean(text).encode("latin-1", "replace")


# Replaying


class Player:
    """Answers the requests that the zip file at `path` holds; the same request asked again gets its next recording, and
    from the last one on always that. Raises `SettingsError` where the file is none that `Client.record` wrote.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _checked_path(path)
        self._lock = threading.Lock()
        self._asked: dict[str, int] = {}
        problem = ""
        try:
            with _opened(self.path) as archive:
                self._entries = _read_entries(archive)
        except FileNotFoundError:
            problem = f"There is no recording {str(self.path)!r}. Make one with Client.record(…), or check the path."
        except (OSError, _DamagedError) as error:
            why = (
                str(error)
                if isinstance(error, _DamagedError)
                else f"{self.path.name} can't be read ({error})."
            )
            problem = f"{why} Record it again with Client.record(…), or get the file anew."
        if problem:
            raise SettingsError(problem)
        self._by_key: dict[str, list[_Entry]] = {}
        for entry in self._entries:
            self._by_key.setdefault(entry.ask.key, []).append(entry)

    def __repr__(self) -> str:
        return f"Player({str(self.path)!r}, {len(self._entries)} exchanges)"

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """What can be asked, each request once, in the order of recording."""
        return tuple(entries[0].recorded for entries in self._by_key.values())

    def answer(self, request: EditRequest) -> Callable[[], ImagesResponse]:
        """How `request` was answered: call what is returned for the response, or for the service's refusal.

        Raises `NotRecordedError` where it was not recorded. What is returned raises `RefusedError` as the service did,
        or `ResultError` where the file has been damaged since it was opened.
        """
        ask = _ask_of(request)
        with self._lock:
            entries = self._by_key.get(ask.key)
            if entries:
                turn = min(self._asked.get(ask.key, 0), len(entries) - 1)
                self._asked[ask.key] = turn + 1
                entry = entries[turn]
                return lambda: self._played(entry)
        raise NotRecordedError(self._not_here(ask))

    def _played(self, entry: _Entry) -> ImagesResponse:
        reply = entry.reply
        refused = reply.get("refusal")
        if refused is not None:
            raise refusal(refused["status"], refused["message"], refused["code"], refused["param"])
        problem = ""
        try:
            with _opened(self.path) as archive:
                items = _read_results(archive, reply["results"])
        except (OSError, _DamagedError) as error:
            problem = str(error)
        if problem:
            raise ResultError(f"The recording can't be read: {problem} Get the file anew.")
        usage = Usage(**reply["usage"]) if reply["usage"] is not None else None
        return ImagesResponse(reply["created"], items, usage, reply["embedded"], replayed=True)

    def _not_here(self, ask: _Ask) -> str:
        near = [entry.recorded for entry in self._entries if _plain(entry.ask.prompt) == _plain(ask.prompt)]
        said = f"{self.path.name} holds no recording of this request, and nothing was sent."
        same = [one for one in near if one.model == ask.model and one.options == ask.options]
        if same and len(ask.images) == len(same[0].images):
            said += " It has this prompt with the same settings, but with another picture or mask."
        elif near:
            said += " It has this prompt, but with other settings."
        if not self._entries:
            return f"{said} It holds nothing yet: make one with Client.record(…)."
        listed = list(dict.fromkeys(map(str, [*near, *self.recorded])))
        lines = [f"- {line}" for line in listed[:LISTED]]
        more = len(listed) - len(lines)
        lines += [f"… and {more} more: see client.recorded."] if more > 0 else []
        return "\n".join([f"{said} Ask for one of these:", *lines])


# The file


class _DamagedError(Exception):
    """A file that is no cassette, or a broken one; says which and how."""


def _checked_path(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (TypeError, ValueError, OSError, RuntimeError):
        pass
    raise SettingsError(f"{str(path)[:200]!r} is no path of a file. Name the recording's zip file.")


def _cannot_write(path: Path, error: OSError) -> str:
    return (
        f"{path} can't be written ({error.strerror or type(error).__name__}). Choose another place to record."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file at `path`; whatever is wrong with it is a `_DamagedError`."""
    what = ""
    if not stat.S_ISREG(path.stat().st_mode):
        raise _DamagedError(f"{path.name} is not a file.")
    with path.open("rb") as file:
        _check_directory(file, path.name)
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
                return
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            zlib.error,
            EOFError,
            KeyError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            what = type(error).__name__
    raise _DamagedError(f"{path.name} is damaged, or no recording at all ({what}).")


def _check_directory(file: BinaryIO, name: str) -> None:
    # Each of a million members would cost half a kilobyte before a single one is looked at.
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - (1 << 16) - 22))
    tail = file.read(1 << 17)
    starts = [found.start() for found in re.finditer(b"PK\x05\x06", tail)]
    sizes = [int.from_bytes(tail[start + 12 : start + 16], "little") for start in starts]
    # Nor does a recording need what zip files over 4 GB have, which stands right before.
    large = any(tail[max(0, start - 20) : start].startswith(b"PK\x06\x07") for start in starts)
    if not starts or max(sizes) > DIRECTORY_CAP or large:
        raise _DamagedError(f"{name} is no recording that Client.record wrote.")
    file.seek(0)


def _check_members(archive: zipfile.ZipFile) -> dict[str, int]:
    """The names in the archive, none of which is dangerous, twice there or packed in a way of its own, and how many
    bytes each says it has.
    """
    names: dict[str, int] = {}
    for info in archive.infolist():
        name = info.filename
        strange = name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")
        if strange or name in names or info.flag_bits & 1 or info.compress_type not in (0, 8):
            raise _DamagedError(f"{_shortened(name, 60)!r} in it does not belong into a recording.")
        names[name] = info.file_size
    if HEAD not in names or _json(archive, HEAD).get("format") != FORMAT:
        raise _DamagedError("It is a zip file, but no recording of this version.")
    return names


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member, of which no more than `most` are unpacked."""
    pieces = []
    with archive.open(name) as file:
        # To its end, where its check sum is looked at.
        while piece := file.read(PIECE):
            pieces.append(piece)
            most -= len(piece)
            if most < 0:
                raise _DamagedError(f"{name} in it is too large.")
    return b"".join(pieces)


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_member(archive, name, ENTRY_CAP), parse_constant=_no_such_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _DamagedError(f"{name} in it is not what a recording holds.")
    return found


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(name)


def _read_entries(archive: zipfile.ZipFile) -> list[_Entry]:
    sizes = {name: size for name, size in _check_members(archive).items() if ENTRY_NAME.fullmatch(name)}
    if sum(sizes.values()) > INDEX_CAP:
        raise _DamagedError("It holds more than any recording does.")
    return [_entry(_json(archive, name), name) for name in sorted(sizes)]


def _entry(found: dict[str, Any], name: str) -> _Entry:
    try:
        options = _dict(found["options"])
        # Plain values only: they are compared and shown, and nothing else.
        if any(not isinstance(value, str | int | float) for value in options.values()):
            raise TypeError
        if len(options) > ITEMS_CAP or any(
            len(text) > WORD_CAP for text in (*options, *options.values()) if isinstance(text, str)
        ):
            raise ValueError
        ask = _Ask(
            _text(found["prompt"], PROMPT_CAP),
            _text(found["model"]),
            {_text(field): value for field, value in options.items()},
            _digest(found["extra"]) if found["extra"] != "" else "",
            tuple(map(_picture, _list(found["images"]))),
            None if found["mask"] is None else _picture(found["mask"]),
        )
        return _Entry(ask, _reply(_dict(found["reply"])))
    except (KeyError, TypeError, ValueError):
        pass
    raise _DamagedError(f"{name} in it is not what a recording holds.")


def _reply(found: dict[str, Any]) -> dict[str, Any]:
    if "refusal" in found:
        refused = _dict(found["refusal"])
        return {
            "refusal": {
                "status": _number(refused["status"]),
                "message": _text(refused["message"], PROMPT_CAP),
                "code": _text_or_none(refused["code"]),
                "param": _text_or_none(refused["param"]),
            }
        }
    counts = None if found["usage"] is None else _dict(found["usage"])
    usage = counts and {item.name: _number_or_none(counts.get(item.name)) for item in fields(Usage)}
    results = [
        (_text_or_none(_dict(item)["sha256"]), _text_or_none(item["revised_prompt"], PROMPT_CAP))
        for item in _list(found["results"])
    ]
    if not all(name is None or DIGEST.fullmatch(name) for name, _ in results):
        raise ValueError
    return {
        "created": _number_or_none(found["created"]),
        "usage": usage,
        "embedded": found["embedded"] is True,
        "results": results,
    }


def _picture(found: Any) -> tuple[str, int, int]:
    digest, width, height = _list(found)
    return _digest(digest), _number(width), _number(height)


def _digest(value: Any) -> str:
    if not DIGEST.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _text(value: Any, most: int = WORD_CAP) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise TypeError
    return value


def _text_or_none(value: Any, most: int = WORD_CAP) -> str | None:
    return None if value is None else _text(value, most)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**12:
        raise TypeError
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > ITEMS_CAP:
        raise TypeError
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _read_results(
    archive: zipfile.ZipFile, results: Iterable[tuple[str | None, str | None]]
) -> tuple[ImageData, ...]:
    items = []
    left = RESULTS_CAP
    for name, revised in results:
        if name is None:
            missing = "It could not be fetched when this was recorded."
            items.append(ImageData(revised_prompt=revised, problem=missing))
            continue
        data = _member(archive, f"results/{name}", left)
        left -= len(data)
        if hashlib.sha256(data).hexdigest() != name:
            raise _DamagedError(f"a result in {Path(str(archive.filename)).name} has been changed.")
        items.append(ImageData(data, revised_prompt=revised))
    return tuple(items)


def _replace(path: Path, members: Iterable[tuple[str, bytes]], *, keep: bool = False) -> None:
    """Put a new file in the place of the one at `path`, with what was in it where `keep`, and `members`."""
    # To read too, which adding to a zip file needs.
    with replacing(path) as whole, os.fdopen(os.dup(whole.fileno()), "r+b") as file:
        if keep:
            with path.open("rb") as before:
                shutil.copyfileobj(before, file)
        with zipfile.ZipFile(file, "a" if keep else "w", allowZip64=False) as archive:
            for name, data in members:
                # No time and no machine: they are nobody's business.
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o644 << 16
                packed = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
                archive.writestr(info, data, packed)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else adds to the file at `path` meanwhile; it is there, if only empty."""
    with _threads:
        if sys.platform == "win32":
            # A file that is open there can't be replaced, so only threads wait for each other.
            path.touch(PRIVATE_FILE)
            yield
            return
        while True:
            # A new one is its owner's alone, until its owner shares it.
            with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE_FILE), "ab") as file:
                # Some network folders have no locks: then only threads wait.
                with contextlib.suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)
                # Whoever had the lock before has put another file in its place.
                if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    yield
                    return
