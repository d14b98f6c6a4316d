"""Which addresses are public, in every way to write one."""

from __future__ import annotations

import pytest

from ttapi_nb.network.address import is_local_name, is_loopback, is_public, literal


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:2800:220:1::1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public(address: str) -> None:
    """What anybody may have on the internet is public, also where IPv4 stands in an IPv6 address."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        # This machine and its networks.
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::", "10.0.0.1", "172.16.0.1"),
        *("172.31.255.255", "192.168.1.1", "169.254.0.1", "100.64.0.1", "100.127.255.255", "198.18.0.1"),
        *("fe80::1", "fe80::1%eth0", "fc00::1", "fdff::1", "fec0::1", "feff::1"),
        # Clouds' metadata.
        *("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
        # Many, none, or kept for later.
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "ff0e::1"),
        *("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
        # An IPv4 address in an IPv6 one.
        *("::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "::8.8.8.8"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:808:808::1", "192.88.99.1"),
        *("2606:2800::5efe:7f00:1", "2606:2800::200:5efe:7f00:1"),
        # None at all.
        *("", "example.com", "127.1", "1.2.3", "8.8.8.8 ", "08.8.8.8"),
    ],
)
def test_not_public(address: str) -> None:
    """What leads to this machine, its network or cloud, or through a tunnel, is not public; nor is no address."""
    assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("0:0::1", "::1"),
        ("example.com", None),
        ("1.example.com", None),
        ("1.2.3.4.5", None),
        ("256.1.1.1", None),
        ("", None),
        (".", None),
        ("1.1 x", None),
    ],
)
def test_literal(host: str, expected: str | None) -> None:
    """An address is known in each of the ways that systems read one."""
    assert literal(host) == expected


def test_names_of_this_machine() -> None:
    """Some names mean this machine or its network everywhere, with a dot behind them too."""
    for name in ("localhost", "LOCALHOST.", "a.localhost", "printer.local", "metadata.google.internal"):
        assert is_local_name(name)
    assert not any(map(is_local_name, ("localhost.example.com", "local", "internal.example.com", "")))
    assert all(map(is_loopback, ("LocalHost", "[::1]", "127.9.9.9")))
    assert not any(map(is_loopback, ("localhost.example.com", "0.0.0.0")))
