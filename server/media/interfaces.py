# SPDX-License-Identifier: Apache-2.0
"""The addresses of this machine that media can listen on."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import ifaddr


def local_addresses() -> tuple[str, ...]:
    """Addresses of this host, loopback last."""
    found = _usable(ip for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    return tuple(sorted(found, key=_order))


def named_addresses(names: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses meant by addresses and names of interfaces; raises ValueError with the one that means nothing."""
    interfaces = {adapter.name: _usable(adapter.ips) for adapter in ifaddr.get_adapters()}
    found: list[str] = []
    for name in names:
        meant = interfaces.get(name) or tuple(known for each in interfaces.values() for known in each if known == name)
        if not meant:
            raise ValueError(name)
        found += meant
    return tuple(dict.fromkeys(found))


def _usable(ips: Iterable[ifaddr.IP]) -> tuple[str, ...]:
    """Link-local addresses are none: they need a scope that a candidate cannot carry."""
    addresses = (ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for ip in ips)
    return tuple(dict.fromkeys(str(address) for address in addresses if not address.is_link_local))


def _order(text: str) -> tuple[bool, int]:
    address = ipaddress.ip_address(text)
    return address.is_loopback, address.version
