"""Which addresses are public, which are this machine's, and what a host's name really is."""

from __future__ import annotations

import ipaddress
import socket

__all__ = ["is_local_name", "is_loopback", "is_public", "literal", "shown_host"]

# What the standard library's table (of Python 3.11) takes for public, and is not.
NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's own service for the machines it runs
            "192.0.0.0/24",  # Oracle's metadata service among them
            "192.88.99.0/24",  # the relays of 6to4
            "2001::/23",  # Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address stands in it
            "3fff::/20",
        ),
    )
)
# All that is handed out so far.
GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The last eight bytes of ISATAP addresses: this, and an IPv4 address.
ISATAP = (0x0000_5EFE, 0x0200_5EFE)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Whether a numeric address is one on the public internet: no private, local, shared, multicast or tunnel's one."""
    try:
        ip: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # On a network that has only IPv6 every IPv4 address is written like this.
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if ip.scope_id is not None or ip not in GLOBAL_IPV6 or int(ip) >> 32 & 0xFFFF_FFFF in ISATAP:
            return False
    if any(ip in network for network in NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def literal(host: str) -> str | None:
    """The address that `host` writes out, in any of the ways that systems read (`127.1`, `0x7f.1`), or None."""
    bare = host.strip("[]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    bare = bare.rstrip(".")
    try:
        # It takes words behind a space too.
        return socket.inet_ntoa(socket.inet_aton(bare)) if bare and not bare.split()[1:] else None
    except (OSError, ValueError):
        return None


def is_local_name(host: str) -> bool:
    """Whether a name means this machine or its network by itself, whatever a look-up says."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def is_loopback(host: str) -> bool:
    """Whether the host is this very machine, by its literal name."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def shown_host(host: str) -> str:
    """A host's name as it is looked up and, where that reads otherwise, how it reads."""
    labels = host.lower().split(".")
    if not any(label.startswith("xn--") for label in labels):
        return host
    try:
        read = ".".join(
            label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
            for label in labels
        )
    except UnicodeError:
        read = ""
    plain = "".join(letter if letter.isprintable() else "�" for letter in read)
    return f"{host} (written {plain}, in other letters than English ones)" if plain else host
