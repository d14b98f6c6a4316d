"""Where the key comes from and where it is kept: each place works, in one order, and none shows it."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb
from tests.client.test_secret import KEY, shown
from tests.server import PATIENCE, Server
from ttapi_nb import Client, MissingKeyError, SettingsError, ask_key, forget_key, store_key
from ttapi_nb.cli import main
from ttapi_nb.client import default_client, key
from ttapi_nb.client.key import Secret, find_key, key_file, key_place, look_for_key

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")

# What the real package is asked, kept in a file: a keyring whose back end is this folder.
KEYRING = """
    import json, pathlib
    STORE = pathlib.Path(__file__).with_name("store.json")
    MODE = pathlib.Path(__file__).with_name("mode")

    def _check(value=None):
        if MODE.exists():
            mode = MODE.read_text()
            if mode == "raises":
                raise RuntimeError(f"the keyring is locked: {value}")
            return mode
        return ""

    def _all():
        return json.loads(STORE.read_text()) if STORE.exists() else {}

    def get_password(service, name):
        _check()
        return _all().get(f"{service}/{name}")

    def set_password(service, name, value):
        if _check(value) != "forgets":
            STORE.write_text(json.dumps(_all() | {f"{service}/{name}": value}))

    def delete_password(service, name):
        _check()
        STORE.write_text(json.dumps({k: v for k, v in _all().items() if k != f"{service}/{name}"}))
"""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a keyring that is installed; write `raises` or `forgets` into its `mode` for one that fails."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "keyring.py").write_text(textwrap.dedent(KEYRING))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    yield folder
    sys.modules.pop("keyring", None)


def sent_by(client: Client, server: Server, photo: Image.Image) -> str | None:
    """The key that a client sends."""
    client.images.edit(image=photo, prompt="x")
    return server.requests[-1].get("TT-API-KEY")


def test_order(server: Server, photo: Image.Image, keyring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument goes before the environment, that before the keyring, and that before the file."""
    found = []

    def look(**settings: Any) -> None:
        found.append((key_place(), sent_by(Client(base_url=server.url, **settings), server, photo)))

    store_key("key-of-the-file", "file")
    look()
    (keyring / "store.json").write_text('{"ttapi_nb/TT_API_KEY": "key-of-the-keyring"}')
    look()
    monkeypatch.setenv("TT_API_KEY", "key-of-the-environment")
    look()
    look(api_key="key-that-is-given")
    monkeypatch.setenv("TT_API_KEY", "  ")
    look()
    assert found == [
        ("file", "key-of-the-file"),
        ("keyring", "key-of-the-keyring"),
        ("environment", "key-of-the-environment"),
        ("environment", "key-that-is-given"),
        ("keyring", "key-of-the-keyring"),
    ]


def test_a_stored_key_is_used_where_none_is_named() -> None:
    """The client that an editor makes by itself has the stored key; without one it is offline."""
    assert default_client().is_offline
    store_key(KEY)
    assert not default_client().is_offline
    assert forget_key().startswith("The key was removed from ")
    assert default_client().is_offline
    assert forget_key() == "There was no stored key."


def test_offline_by_environment_looks_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TTAPI_OFFLINE=1 not even a key file that others can read is in the way."""
    store_key(KEY)
    key_file().chmod(0o644)
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    assert default_client().is_offline
    assert Client().is_offline


# The file


@posix
def test_file_is_the_owners_alone() -> None:
    """A stored key is in a file of mode 0600 from its first moment, and nothing else is left in the folder."""
    before = os.umask(0)
    try:
        assert store_key(Secret(f"  {KEY}\n")) == f"The key is in {key_file()}, which only you can read."
    finally:
        os.umask(before)
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file().parent.stat().st_mode) == 0o700
    assert key_file().read_text() == f"{KEY}\n"
    assert [path.name for path in key_file().parent.iterdir()] == ["key"]
    store_key("another-key-0123456789")
    assert find_key().reveal() == "another-key-0123456789"
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644])
def test_file_that_others_can_read(mode: int) -> None:
    """A key file that others can read or write is refused, with the command that closes it."""
    store_key(KEY)
    key_file().chmod(mode)
    for look in (look_for_key, Client, default_client, key_place):
        with pytest.raises(SettingsError, match=r"Others on this machine.*chmod 600") as caught:
            look()
        assert KEY not in shown(caught.value)
    with pytest.raises(MissingKeyError):
        find_key(Secret(""))
    assert not Client(KEY).is_offline


@posix
@pytest.mark.parametrize("kind", ["folder", "pipe", "long", "empty", "no text", "two lines", "loop"])
def test_odd_files(kind: str) -> None:
    """What is no key file is told from one, at once, and never shown."""
    path = key_file()
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir(0o700)
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "loop":
        path.symlink_to(path)
    else:
        data = {
            "long": KEY.encode() * 1000,
            "empty": b"\n \n",
            "no text": b"\xff\xfe",
            "two lines": KEY.encode() * 2,
        }
        path.write_bytes(data[kind] if kind != "two lines" else f"{KEY}\n{KEY}\n".encode())
        path.chmod(0o600)
    with pytest.raises(MissingKeyError if kind == "empty" else SettingsError) as caught:
        Client()
    assert KEY not in shown(caught.value)


def test_named_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names another file; left out it is one in the user's configuration folder."""
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "secrets" / "tt"))
    store_key(KEY)
    assert (tmp_path / "secrets" / "tt").is_file()
    monkeypatch.delenv("TT_API_KEY_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert key_file().parts[-2:] == ("ttapi_nb", "key")


def test_a_named_file_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ~ is the home folder, and a relative name stays where it was meant when the folder changes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TT_API_KEY_FILE", "~/k")
    store_key(KEY)
    if os.name == "posix":
        assert (tmp_path / "home" / "k").read_text() == f"{KEY}\n"
    assert list((tmp_path / "here").iterdir()) == []
    monkeypatch.setenv("TT_API_KEY_FILE", "k")
    assert key_file() == tmp_path / "here" / "k"


@posix
@pytest.mark.parametrize("link", [False, True])
def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool) -> None:
    """A key file of another user is not used, also through a link of one's own."""
    store_key(KEY)
    if link:
        (tmp_path / "link").symlink_to(key_file())
        monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "link"))
    assert find_key().reveal() == KEY
    monkeypatch.setattr("os.geteuid", lambda: key_file().stat().st_uid + 1)
    with pytest.raises(SettingsError, match="another user") as caught:
        Client()
    assert KEY not in shown(caught.value)


@posix
@pytest.mark.parametrize(("mode", "used"), [(0o777, False), (0o703, False), (0o1777, True), (0o755, True)])
def test_a_folder_that_others_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, used: bool
) -> None:
    """Where others could put a key of theirs none is used or stored, unless each keeps to files of their own there."""
    folder = tmp_path / "open"
    folder.mkdir()
    monkeypatch.setenv("TT_API_KEY_FILE", str(folder / "key"))
    store_key(KEY)
    folder.chmod(mode)
    if used:
        store_key(KEY)
        assert find_key().reveal() == KEY
        return
    for act in (find_key, lambda: store_key(KEY)):
        with pytest.raises(SettingsError, match="chmod go-w") as caught:
            act()
        assert KEY not in shown(caught.value)


def test_places_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the key can't be written or removed the error names the place, and the key is not in it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "file" / "key"))
    with pytest.raises(SettingsError, match="could not be written") as caught:
        store_key(KEY)
    assert KEY not in shown(caught.value)
    (tmp_path / "folder" / "key").mkdir(parents=True)
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "folder" / "key"))
    with pytest.raises(SettingsError, match="could not be removed"):
        forget_key()
    with pytest.raises(SettingsError, match="could not be written"):
        store_key(KEY)
    # Nothing half written, with the key in it, is left.
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["key"]


@posix
def test_as_long_as_a_file_may_be() -> None:
    """A file that is just not too long for a key is read to its end."""
    store_key(KEY)
    key_file().write_text(KEY + "\n" * (4096 - len(KEY)))
    assert find_key().reveal() == KEY
    key_file().write_text(KEY + "\n" * (4097 - len(KEY)))
    with pytest.raises(SettingsError, match="too long for a key"):
        find_key()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells which files are open")
def test_files_are_closed() -> None:
    """However often a key is stored, read or refused, its file is not left open."""
    store_key(KEY)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        store_key(KEY)
        find_key()
        key_file().chmod(0o644)
        with pytest.raises(SettingsError, match="Others"):
            find_key()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the file that fails as it is read is Linux's")
def test_a_file_that_fails_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while the key is read is told, with what to do."""
    # A plain file of the owner's alone, as far as anybody can see.
    monkeypatch.setenv("TT_API_KEY_FILE", "/proc/self/mem")
    with pytest.raises(SettingsError, match=r"can't be read \(.*store the key again"):
        look_for_key()


def test_an_older_copy_that_can_not_be_removed(keyring: Path) -> None:
    """Where the keyring takes the key and the file stays, it is said which is to be removed."""
    key_file().mkdir(parents=True)
    said = store_key(KEY)
    assert said == f"The key is in your keyring. An older one is still in {key_file()}: remove it."
    assert find_key().reveal() == KEY


# The keyring


def test_keyring_is_preferred(keyring: Path) -> None:
    """Where there is a keyring the key goes there, and an older copy in the file is removed."""
    store_key("older-key-0123456789", "file")
    assert store_key(KEY) == "The key is in your keyring."
    # By the name that it was stored under by earlier versions too.
    assert json.loads((keyring / "store.json").read_text()) == {"ttapi_nb/TT_API_KEY": KEY}
    assert not key_file().exists()
    assert (key_place(), find_key().reveal()) == ("keyring", KEY)
    assert "only you can read" in store_key("newer-key-0123456789", "file")
    assert (key_place(), find_key().reveal()) == ("file", "newer-key-0123456789")
    store_key(KEY)
    assert store_key(KEY) == "The key is in your keyring."
    assert forget_key() == "The key was removed from your keyring."
    assert look_for_key() is None


@pytest.mark.parametrize("mode", ["raises", "forgets"])
def test_keyring_that_fails(keyring: Path, mode: str) -> None:
    """A keyring that is locked or keeps nothing is as good as none; its errors, which have the key, stay inside."""
    (keyring / "mode").write_text(mode)
    assert look_for_key() is None
    with pytest.raises(SettingsError, match="no keyring here that takes the key") as caught:
        store_key(KEY, "keyring")
    assert KEY not in shown(caught.value)
    assert "only you can read" in store_key(KEY)
    assert key_place() == "file"


def test_keyring_that_can_not_be_loaded(keyring: Path) -> None:
    """A keyring package that is broken is as good as none."""
    (keyring / "keyring.py").write_text("raise OSError('no D-Bus')")
    assert "only you can read" in store_key(KEY)


def test_no_keyring() -> None:
    """Without the keyring package, which is not needed, asking for it by name says what to do."""
    with pytest.raises(SettingsError, match="Install the keyring package"):
        store_key(KEY, "keyring")


def test_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stores a key while the environment has another is told which is used."""
    monkeypatch.setenv("TT_API_KEY", "other-key-0123456789")
    assert "unset that to use it" in store_key(KEY)
    assert "still set" in forget_key()


@pytest.mark.parametrize(
    "key", ["", " \n", "two words", "a\nb", "kéy", b"bytes", 7, ["list"], {"a": KEY}, object()]
)
def test_things_that_are_no_key(key: Any) -> None:
    """What can't be a key is refused by whoever takes one, unseen, also where it is no text at all."""
    for take in (Client, store_key, lambda it: Client.record("unused.zip", api_key=it)):
        with pytest.raises(SettingsError) as caught:
            take(key)
        assert KEY not in shown(caught.value)
        assert "<key, not shown>" in shown(caught.value) or "bytes" not in shown(caught.value)
    assert not Path("unused.zip").exists()
    assert not key_file().exists()


def test_where_it_is_kept_is_one_of_two() -> None:
    """Another place than there is, is named with those that there are."""
    with pytest.raises(SettingsError, match='"keyring" or "file"') as caught:
        store_key(KEY, "cloud")  # type: ignore[arg-type]
    assert KEY not in shown(caught.value)


# Asking

TERMINAL = """
    import os, pty, sys, time
    from pathlib import Path

    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    seen = b""
    asked = False
    try:
        while piece := os.read(terminal, 4096):
            seen += piece
            if b"not shown" in seen and not asked:
                asked = True
                os.write(terminal, b"sk-very-secret-0123456789\\n")
    except OSError:
        pass
    os.waitpid(child, 0)
    sys.stdout.buffer.write(seen)
"""


@pytest.mark.slow
@posix
def test_asked_in_a_terminal(server: Server) -> None:
    """In a real terminal what is typed is not echoed, and the key works."""
    code = (
        "import ttapi_nb as tt; from PIL import Image; key = tt.ask_key(); print(repr(key)); "
        f"tt.Client(api_key=key, base_url={server.url!r}).images.edit(image=Image.new('RGB', (8, 8)), prompt='x')"
    )
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TERMINAL), "-c", code],
        capture_output=True,
        timeout=PATIENCE * 3,
        check=True,
    )
    assert b"not shown" in done.stdout
    assert KEY.encode() not in done.stdout + done.stderr
    assert [request.get("TT-API-KEY") for request in server.requests] == [KEY]


@posix
def test_command_asks_and_keeps() -> None:
    """`ttapi-nb key` asks in a terminal, keeps the key in a file, and shows it nowhere."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TERMINAL), "-m", "ttapi_nb.cli", "key", "--file"],
        capture_output=True,
        timeout=PATIENCE * 3,
        check=True,
    )
    assert b"which only you can read" in done.stdout
    assert KEY.encode() not in done.stdout
    assert find_key().reveal() == KEY


@pytest.mark.slow
def test_command_reads_from_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    """The key can come from a pipe, so that it is on no command line; the command says where it is, and forgets it."""

    def piped(given: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ttapi_nb.cli", "key"],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
        assert KEY not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def called(*words: str) -> str:
        with contextlib.suppress(SystemExit):
            main(["key", *words])
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        return said.out + said.err

    assert "There is no key" in called("--where")
    assert "which only you can read" in piped(KEY + "\n")
    assert "comes from the file" in called("--where")
    assert "was removed" in called("--forget")
    assert "There is no API key" in piped("")
    assert "does not know all of that" in called(KEY)
    assert "There is no key" in called("--where")


def test_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no terminal that hides what is typed, nothing is read, and the error says what to do instead."""
    code = "import ttapi_nb as tt\ntry: tt.ask_key()\nexcept tt.SettingsError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=KEY,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=PATIENCE * 3,
        check=True,
    )
    assert "Nobody can be asked for the key here" in done.stdout
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("answer", ["", "   ", EOFError, NotImplementedError])
def test_nothing_is_typed(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """An empty answer is no key, and a front end that can't ask, as when a notebook is run by a program, says so."""

    def typed(prompt: str) -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("getpass.getpass", typed)
    with pytest.raises(SettingsError, match=r"There is no API key|Nobody can be asked"):
        ask_key()


def test_public_names() -> None:
    """What people call is in the package, and nothing that gives the key away."""
    assert {"ask_key", "store_key", "forget_key"} <= set(ttapi_nb.__all__)
    assert not {"find_key", "look_for_key", "Secret"} & set(ttapi_nb.__all__)
    assert set(key.__all__) >= {"ask_key", "store_key", "forget_key", "key_place", "look_for_key"}


def test_a_disk_that_takes_a_part(tmp_path: Path) -> None:
    """Where only a part of a new key can be written, that is said and the old one stays."""
    file = tmp_path / "key"
    file.write_text("old-key-0123456789\n")
    file.chmod(0o600)
    # Larger files can't be written in that process, as on a disk that is full.
    script = (
        "import resource, sys; import ttapi_nb as tt; resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))\n"
        "try: tt.store_key('k' * 300, 'file')\n"
        "except tt.SettingsError as error: sys.exit(0 if 'could not be written' in str(error) else str(error))\n"
        "sys.exit('nothing was said')"
    )
    environment = os.environ | {"TT_API_KEY_FILE": str(file)}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=environment)
    assert file.read_text() == "old-key-0123456789\n"


def test_folders_are_made_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's file may be named where no folder is yet, and is written again where one is."""
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "a" / "b" / "key"))
    for one in (KEY, f"{KEY}-other"):
        store_key(one)
        assert find_key().reveal().strip() == one
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["key"]


@pytest.mark.parametrize("value", ["7", '"  "', "null", "[]"])
def test_what_is_no_key_in_a_keyring(keyring: Path, value: str) -> None:
    """What a keyring gives and is no word is as if it were left out."""
    (keyring / "store.json").write_text(f'{{"ttapi_nb/TT_API_KEY": {value}}}')
    assert look_for_key() is None
    assert key_place() is None


@posix
@pytest.mark.parametrize(
    ("mode", "mine", "used"),
    [(0o775, True, True), (0o775, False, False), (0o755, False, True), (0o1775, False, True)],
)
def test_a_folder_that_a_group_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, mine: bool, used: bool
) -> None:
    """A folder of one's own group is one's own; one that another group may write to is not used."""
    folder = tmp_path / "open"
    folder.mkdir()
    monkeypatch.setenv("TT_API_KEY_FILE", str(folder / "key"))
    store_key(KEY)
    folder.chmod(mode)
    group = folder.stat().st_gid
    monkeypatch.setattr("os.getegid", lambda: group if mine else group + 1)
    if used:
        assert find_key().reveal() == KEY
    else:
        with pytest.raises(SettingsError, match="chmod go-w"):
            find_key()
