"""Whose certificates are believed, and what is said where the environment names none."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests.secure import AUTHORITY, FIXTURES
from ttapi_nb.errors import SettingsError
from ttapi_nb.network import tls
from ttapi_nb.network.tls import named_certificates, secure_context
from ttapi_nb.network.ways import way_to


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may name certificates of their own."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def test_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same environment gets the same context, and another, or a file that was changed, one of its own."""
    system = secure_context()
    assert secure_context() is system
    assert system.verify_mode.name == "CERT_REQUIRED"
    assert system.check_hostname
    file = tmp_path / "ca.pem"
    shutil.copy(AUTHORITY, file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    named = secure_context()
    assert named is not system
    assert len(named.get_ca_certs()) == 1
    assert named_certificates() == "SSL_CERT_FILE"
    os.utime(file, (1, 1))
    again = secure_context()
    assert again is not named
    file.unlink()
    # What is under way is not given up for a file that was read already.
    assert secure_context() is again


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "no certificate"), (b"junk", "no certificate"), ("key", "no certificate")],
)
def test_a_file_without_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | str | None, said: str
) -> None:
    """SSL_CERT_FILE that names nothing, or no certificate, is named with what to do."""
    file = tmp_path / "ca.pem"
    if content == "key":
        content = (FIXTURES / "tls_server.pem").read_bytes().partition(b"-----END CERTIFICATE-----\n")[2]
    if isinstance(content, bytes):
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(SettingsError, match=rf"SSL_CERT_FILE names .*{said}.*unset it"):
        secure_context()


def test_what_is_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder, a pipe or a device in place of a file is refused at once, and not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        monkeypatch.setenv("SSL_CERT_FILE", str(name))
        with pytest.raises(SettingsError, match=r"SSL_CERT_FILE names .*no plain file"):
            secure_context()


def test_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The certificates in the folders of SSL_CERT_DIR are believed under any names; none is an error."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for named in (str(tmp_path / "none"), str(empty)):
        monkeypatch.setenv("SSL_CERT_DIR", named)
        with pytest.raises(SettingsError, match=r"SSL_CERT_DIR names .*unset it"):
            secure_context()
    (empty / "readme.txt").write_text("not a certificate")
    shutil.copy(AUTHORITY, empty / "company.crt")
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join((str(tmp_path / "none"), str(empty))))
    assert len(secure_context().get_ca_certs()) == 1
    assert named_certificates() == "SSL_CERT_DIR"


def test_keys_are_logged_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSLKEYLOGFILE is honoured, and where it can't be written that is said."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert secure_context().keylog_filename == str(tmp_path / "keys")
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "none" / "keys", tmp_path, tmp_path / "pipe"):
        monkeypatch.setenv("SSLKEYLOGFILE", str(name))
        with pytest.raises(SettingsError, match=r"SSLKEYLOGFILE names .*can't be written.*unset it"):
            secure_context()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_systems_that_keep_certificates_elsewhere(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Where certificates are no files the system itself is asked whom it believes."""
    monkeypatch.setitem(sys.modules, "truststore", SimpleNamespace(SSLContext=ssl.SSLContext))
    context = tls._system(platform)
    assert context.verify_mode is ssl.CERT_REQUIRED
    # Nothing of this machine's files was read.
    assert context.cert_store_stats()["x509"] == 0


def test_a_machine_without_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bare container, which has no certificates of its own, believes those that come with certifi."""
    monkeypatch.setattr(tls, "BUNDLES", ())
    # OpenSSL's own defaults, which name nothing then.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls._system("linux").cert_store_stats()["x509_ca"] > 50


def test_a_damaged_bundle_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system's own certificates can't be read that is an error of ours too."""
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("junk")
    monkeypatch.setattr(tls, "BUNDLES", (str(bundle),))
    tls._KNOWN.clear()
    with pytest.raises(SettingsError, match="network could not be set up"):
        way_to(httpx.URL("https://api.example.com"))
