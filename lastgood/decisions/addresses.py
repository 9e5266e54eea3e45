"""Which addresses a check may talk to.

The rule. Private and loopback addresses are fine: services live there. Link-local addresses are
not, as the credentials of the machine are served there (169.254.169.254, 169.254.170.2), nor
Amazon's metadata address in IPv6 (fd00:ec2::254), nor what is no single host: unspecified,
broadcast, multicast, reserved. An IPv4 address inside of an IPv6 one counts as itself.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_EMBEDDING = (
    IPv6Network("::/96"),  # IPv4-compatible, deprecated
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
    IPv6Network("64:ff9b::/96"),  # NAT64
)
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_AMAZON = IPv6Network("fd00:ec2::/32")
"""Metadata, time and credentials of EC2 and EKS."""


def why_blocked(address: str) -> str | None:
    """Why no check may talk to this address; None if one may.

    Raises:
        ValueError: if it is no IP address in its usual notation.
    """
    ip = _innermost(ip_address(address))
    if ip.is_loopback:
        return None
    if ip in _AMAZON if ip.version == 6 else ip in _THIS_NETWORK:
        return "a metadata address" if ip.version == 6 else "no host's address"
    if ip.is_link_local or (ip.version == 6 and ip in _LOCAL_NAT64):
        return "a link-local or metadata address"
    if ip.is_multicast:
        return "a multicast address"
    if ip.is_unspecified or ip.is_reserved:
        return "no host's address"
    return None


def _innermost(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address) or ip.is_loopback or ip.is_unspecified:
        return ip
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour or ip
    if ip.teredo:
        return ip.teredo[1]
    if any(ip in network for network in _EMBEDDING):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
