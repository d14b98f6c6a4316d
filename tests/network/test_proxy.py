"""The environment's proxies: which one is for what, which addresses are left out, and what is none."""

from __future__ import annotations

import sys
import traceback

import pytest

from ttapi_nb.errors import SettingsError
from ttapi_nb.network.proxy import proxy_for, variable_for

PASSWORD = "pass-w0rd-of-the-proxy"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have proxies of their own."""
    for what in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{what}_proxy", raising=False)
        monkeypatch.delenv(f"{what}_proxy".upper(), raising=False)


def test_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy for a way goes before that for all ways, and a variable in small letters before one in capitals."""
    assert proxy_for("https", "a.example", None) is None
    monkeypatch.setenv("ALL_PROXY", "all.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://capitals.example:2/")
    for scheme, variable, url in (
        ("http", "ALL_PROXY", "http://all.example:1"),
        ("https", "HTTPS_PROXY", "http://capitals.example:2"),
    ):
        found = proxy_for(scheme, "a.example", None)
        assert found is not None
        assert (found.variable, found.url, found.auth) == (variable, url, None)
    monkeypatch.setenv("https_proxy", "https://[2001:db8::1]:3")
    found = proxy_for("https", "a.example", None)
    assert found is not None
    assert (found.variable, found.url) == ("https_proxy", "https://[2001:db8::1]:3")
    monkeypatch.setenv("ALL_PROXY", " ")
    assert proxy_for("http", "a.example", None) is None


def test_a_request_of_a_stranger_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a CGI script HTTP_PROXY is what a visitor's header says, and is not used."""
    monkeypatch.setenv("HTTP_PROXY", "http://evil.example:1")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_for("http", "a.example", None) is None


@pytest.mark.parametrize(
    ("rules", "out", "within"),
    [
        ("*", ["a.example", "1.2.3.4", "::1"], []),
        ("::1", ["::1", "[::1]"], ["::2", "a.example"]),
        ("[::1]", ["::1"], ["::2"]),
        ("[2001:db8::1]:443", ["2001:db8::1"], ["2001:db8::2"]),
        ("[2001:db8::1]:444", [], ["2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8:1::5"], ["2001:db9::1"]),
        ("10.0.0.0/8", ["10.1.2.3"], ["11.0.0.1", "a.example"]),
        ("10.0.0.5/8", ["10.1.2.3"], []),
        (".a.example", ["b.a.example", "a.example"], ["ba.example"]),
        ("*.a.example", ["b.a.example"], ["ba.example"]),
        ("a.example", ["a.example", "A.Example.", "b.a.example"], ["a.example.com"]),
        ("a.example:443", ["a.example"], []),
        ("a.example:8443", [], ["a.example"]),
        ("b.example , a.example", ["a.example", "b.example"], ["c.example"]),
        ("b.example a.example", ["a.example"], []),
        ("https://a.example", ["a.example"], []),
        (",,::/::,[,]:x,/,:", [], ["a.example", "::1", "1.2.3.4"]),
    ],
)
def test_left_out(monkeypatch: pytest.MonkeyPatch, rules: str, out: list[str], within: list[str]) -> None:
    """NO_PROXY knows names and those under them, ports, addresses and networks of both kinds, and all."""
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", rules)
    assert [host for host in (*out, *within) if proxy_for("https", host, None) is None] == out


@pytest.mark.parametrize(
    "value",
    [
        "http://[::1",
        "http://[zz]:1",
        "http://:3128",
        "http://",
        "http://proxy.example:port",
        "http://proxy.example:0",
        "http://proxy.example:99999",
        "http://two words:1",
        "http://proxy.example:1/path",
        "http://user:pa/ss@proxy.example:1",
        f"http://user:{PASSWORD}@[::1",
        f"http://user:{PASSWORD}#@proxy.example:1",
        "ftp://proxy.example:1",
        "socks4://proxy.example:1",
        f"user:{PASSWORD}@://proxy.example",
        "://x",
        "http://ex\x7fample:1",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_no_proxy_at_all(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """What is no proxy's address is an error that names the variable and an example, and never shows a password."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"{variable}.*http://host:port") as caught:
        proxy_for("https", "a.example", None)
    # The first frame is this test's own.
    frames = caught.tb.tb_next
    shown = traceback.TracebackException(caught.type, caught.value, frames, capture_locals=True)
    assert PASSWORD not in "".join(shown.format())
    assert variable_for("https", "a.example", None) == ""


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A SOCKS proxy without the package that it needs is an error with the line to install it."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1080")
    with pytest.raises(SettingsError, match=r"ALL_PROXY names a SOCKS proxy.*pip install \"httpx\[socks\]\""):
        proxy_for("https", "a.example", None)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's name and password are kept apart from its address, decoded, and out of its repr."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me%40work:p%3Aw%2Fd@proxy.example:3128")
    found = proxy_for("https", "a.example", None)
    assert found is not None
    assert (found.url, found.auth) == ("http://proxy.example:3128", ("me@work", "p:w/d"))
    assert "me" not in repr(found).replace("name", "")
    assert "p:w/d" not in repr(found)
