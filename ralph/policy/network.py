"""Where a URL leads, and whether an address may be connected to. Nothing is resolved or contacted here.

Sources: RFC 3986, the IANA special-purpose address registries, the WHATWG URL standard's IPv4 parser for odd spellings.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ralph.errors import ToolError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(map(ipaddress.ip_address, (
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    "169.254.169.253", "169.254.169.123", "169.254.42.42", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    "fd00:42::42",
)))  # fmt: skip
_METADATA_NAMES = frozenset({
    "metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal",
    "metadata.azure.internal", "metadata.tencentyun.com", "metadata.oraclecloud.com",
})  # fmt: skip
_LOCAL_NAMES = re.compile(r"(?:.*\.)?(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|localdomain)$")
_PORTS = {"http": 80, "https": 443}
_EXTRA_PRIVATE = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "fec0::/10")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class UrlFacts:
    """`host` is lower-case, in its ASCII (IDNA) form, an odd IPv4 spelling written out; `address` when it is one.

    `problems`: why it is refused whatever anybody granted; empty when it may be asked about.
    """

    scheme: str
    host: str
    port: int
    problems: tuple[str, ...] = ()
    address: Address | None = None

    @property
    def origin(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if _PORTS.get(self.scheme) == self.port else f"{shown}:{self.port}"


def judge_url(url: str) -> UrlFacts:
    """The facts of one URL. Never raises; what is wrong is in `problems`."""
    if odd := re.search(r"[\x00-\x20\x7f-\xa0\\\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", url):
        return UrlFacts("", "", 0, (f"it holds the character U+{ord(odd[0]):04X}; write it percent-encoded",))
    try:
        parts = urlsplit(url)
        raw, port = parts.hostname or "", parts.port
    except ValueError as error:
        return UrlFacts("", "", 0, (f"it is not a URL ({error})",))
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        return UrlFacts(scheme, raw, 0, ("only http:// and https:// can be fetched",))
    host, address, problem = _host(raw)
    problems = [problem] if problem else []
    if "@" in parts.netloc:
        problems.append("it carries a user name or password before the host")
    if not problem and (reason := refused_name(host) or (refused_address(address) if address else "")):
        problems.append(reason)
    return UrlFacts(scheme, host, port or _PORTS[scheme], tuple(problems), address)


def overtly_local(url: UrlFacts) -> bool:
    """The URL itself says that it leads to this machine or its network, so who approves it knows."""
    return bool(url.address and _private(url.address)) or bool(_LOCAL_NAMES.match(url.host)) or _bare(url)


def _bare(url: UrlFacts) -> bool:
    return url.address is None and "." not in url.host


def redirect_problem(asked: str, hop: str) -> str:
    """Why a redirect is not followed: the call that was judged was for another host, or for an encrypted page."""
    one, other = judge_url(asked), judge_url(hop)
    if one.host.removeprefix("www.") != other.host.removeprefix("www."):
        return f"{asked} redirects to another host: fetch {hop} if that is wanted"
    if one.port != other.port and other.port not in _PORTS.values():
        return f"{asked} redirects to another port: fetch {hop} if that is wanted"
    if (one.scheme, other.scheme) == ("https", "http"):
        return f"{asked} redirects to {hop}, which is not encrypted"
    return ""


def check_hop(url: str, addresses: Iterable[str], granted: frozenset[str] = frozenset()) -> None:
    """Raise ToolError unless every resolved address of this hop may be connected to.

    granted: hosts (`name` or `name:port`) whose private addresses a person allowed. Call it again for every redirect
    and connect to an address that was checked, not to the name.
    """
    facts = judge_url(url)
    if facts.problems:
        raise ToolError(f"{url}: {facts.problems[0]}")
    resolved = [_unwrap(ipaddress.ip_address(text.partition("%")[0])) for text in addresses]
    if not resolved:
        raise ToolError(f"{facts.host} has no address")
    for address in resolved:
        if reason := refused_address(address):
            raise ToolError(f"{url}: {reason}")
        if _private(address) and not granted & {facts.host, f"{facts.host}:{facts.port}", facts.origin}:
            raise ToolError(
                f"{facts.host} leads to {address}, an address on this machine or its network; "
                f"a person must allow {facts.origin} first"
            )


def refused_name(host: str) -> str:
    return f"{host} serves credentials of a cloud machine" if host in _METADATA_NAMES else ""


def refused_address(address: Address) -> str:
    address = _unwrap(address)
    if address in _METADATA:
        return f"{address} serves credentials of a cloud machine"
    if address.is_multicast or str(address) == "255.255.255.255":
        return f"{address} is not the address of one machine"
    return ""


def _private(address: Address) -> bool:
    address = _unwrap(address)
    extra = any(address.version == network.version and address in network for network in _EXTRA_PRIVATE)
    return extra or not address.is_global or address.is_reserved


def _unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one: mapped, compatible, 6to4, NAT64, Teredo, ISATAP."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    number = int(address)
    if address.ipv4_mapped or address in _NAT64 or (number >> 32 == 0 and number > 0xFFFF):
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if (number >> 32) & 0xFCFFFFFF == 0x5EFE:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address


def _host(raw: str) -> tuple[str, Address | None, str]:
    """(host in its one spelling, address, problem)."""
    if ":" in raw:
        return _ipv6(raw)
    try:
        name = raw if raw.isascii() else raw.encode("idna").decode("ascii")
    except UnicodeError:
        return raw, None, "its host name is not valid"
    name = name.lower().rstrip(".")
    if not name or len(name) > 253 or not re.fullmatch(r"[a-z0-9._-]+", name):
        return name, None, "its host name is not valid"
    if _is_number(name.rpartition(".")[2]):
        number = _odd_ipv4(name)
        if number is None:
            return name, None, "its host is not a valid IPv4 address"
        address = ipaddress.IPv4Address(number)
        return str(address), address, ""
    return name, None, ""


def _ipv6(raw: str) -> tuple[str, Address | None, str]:
    try:
        address = ipaddress.IPv6Address(raw.partition("%")[0])
    except ValueError:
        return raw, None, "its host is not a valid IPv6 address"
    inner = _unwrap(address)
    return (raw, inner, "it names a network card") if "%" in raw else (str(inner), inner, "")


def _is_number(label: str) -> bool:
    return bool(re.fullmatch(r"\d+|0x[0-9a-f]*", label))


def _odd_ipv4(name: str) -> int | None:
    """One to four parts, each decimal, octal or hexadecimal; the last fills what is left (127.1, 0x7f000001)."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_is_number(part) for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    room = 256 ** (5 - len(numbers))
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= room:
        return None
    return sum(number << (8 * (3 - at)) for at, number in enumerate(numbers[:-1])) + numbers[-1]


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part)
