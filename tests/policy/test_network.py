from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import ToolError
from ralph.policy.network import check_hop, judge_url, overtly_local, redirect_problem


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com/a?b=c", "example.com", 443),
        ("HTTP://EXAMPLE.com:8080/", "example.com", 8080),
        ("https://example.com./", "example.com", 443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("http://0x7f000001/", "127.0.0.1", 80),
        ("http://2130706433/", "127.0.0.1", 80),
        ("http://0177.0.0.1/", "127.0.0.1", 80),
        ("http://127.1/", "127.0.0.1", 80),
        ("http://0x7f.1/", "127.0.0.1", 80),
        ("http://[::ffff:127.0.0.1]/", "127.0.0.1", 80),
        ("http://[::1]:3000/", "::1", 3000),
        ("http://[64:ff9b::7f00:1]/", "127.0.0.1", 80),
        ("http://①②⑦.⓪.⓪.①/", "127.0.0.1", 80),
    ],
)
def test_one_spelling_for_every_host(url: str, host: str, port: int) -> None:
    facts = judge_url(url)
    assert (facts.host, facts.port, facts.problems) == (host, port, ())


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "only http"),
        ("ftp://example.com/", "only http"),
        ("gopher://x/", "only http"),
        ("javascript:alert(1)", "only http"),
        ("example.com", "only http"),
        ("http://user:pass@example.com/", "user name"),
        ("http://example.com@evil.example/", "user name"),
        ("http://@example.com/", "user name"),
        ("http://169.254.169.254/latest/meta-data", "credentials"),
        ("http://0xa9fea9fe/", "credentials"),
        ("http://2852039166/", "credentials"),
        ("http://[::ffff:169.254.169.254]/", "credentials"),
        ("http://[fd00:ec2::254]/", "credentials"),
        ("http://metadata.google.internal/", "credentials"),
        ("http://METADATA.google.internal./", "credentials"),
        ("http://100.100.100.200/", "credentials"),
        ("http://[2002:a9fe:a9fe::]/", "credentials"),
        ("http://999.1.1.1/", "IPv4"),
        ("http://1.2.3.4.5/", "IPv4"),
        ("http://[::1/", "not a URL"),
        ("http://[fe80::1%25eth0]/", "network card"),
        ("http:///path", "host name"),
        ("http://exa mple.com/", "character"),
        ("http://example.com\\@evil.example/", "character"),
        ("http://exam\u200bple.com/", "character"),
        ("http://example.com/\nHost: x", "character"),
        ("http://example.com:99999/", "not a URL"),
        ("http://224.0.0.1/", "one machine"),
    ],
)
def test_what_is_refused_whatever_was_granted(url: str, problem: str) -> None:
    facts = judge_url(url)
    assert facts.problems
    assert problem in facts.problems[0]
    with pytest.raises(ToolError):
        check_hop(url, ["93.184.215.14"], frozenset({facts.host}))


@pytest.mark.parametrize(
    "url", ["http://localhost:3000/", "http://127.0.0.1/", "http://10.1.2.3/", "http://nas/", "http://printer.local/",
            "http://[fd12::1]/", "http://0.0.0.0/", "http://100.64.0.1/"],
)  # fmt: skip
def test_local_addresses_are_seen_in_the_url(url: str) -> None:
    assert overtly_local(judge_url(url))


def test_public_hosts_are_not_local() -> None:
    assert not overtly_local(judge_url("https://example.com/"))
    assert not overtly_local(judge_url("https://1.1.1.1/"))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1",
                "100.64.0.1", "0.0.0.0", "::ffff:10.0.0.1", "fe80::1%eth0"],
)  # fmt: skip
def test_a_name_that_leads_inside_needs_a_grant(address: str) -> None:
    with pytest.raises(ToolError, match="a person must allow"):
        check_hop("https://rebind.example/", [address])
    check_hop("https://rebind.example/", [address], frozenset({"rebind.example"}))


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(ToolError):
        check_hop("https://example.com/", ["93.184.215.14", "127.0.0.1"])
    check_hop("https://example.com/", ["93.184.215.14"])
    with pytest.raises(ToolError, match="no address"):
        check_hop("https://example.com/", [])


def test_a_grant_for_one_port_is_not_one_for_another() -> None:
    granted = frozenset({"localhost:3000"})
    check_hop("http://localhost:3000/x", ["127.0.0.1"], granted)
    with pytest.raises(ToolError):
        check_hop("http://localhost:5432/", ["127.0.0.1"], granted)


def test_no_grant_reaches_the_metadata_service() -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"):
        with pytest.raises(ToolError, match="credentials"):
            check_hop("https://example.com/", [address], frozenset({"example.com"}))


@given(st.ip_addresses())
def test_every_address_that_is_not_public_is_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        with pytest.raises(ToolError):
            check_hop("https://example.com/", [str(address)])


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    facts = judge_url("http://" + text)
    assert facts.problems or facts.host


@pytest.mark.parametrize("hop", ["https://example.org/b", "https://www.example.org/", "https://EXAMPLE.org.:443/x"])
def test_a_redirect_within_a_site_is_followed(hop: str) -> None:
    assert redirect_problem("http://example.org/a", hop) == ""


@pytest.mark.parametrize(
    ("hop", "problem"),
    [
        ("https://example.org.evil.test/", "another host"),
        ("https://notexample.org/", "another host"),
        ("http://169.254.169.254/", "another host"),
        ("https://example.org:8443/", "another port"),
        ("http://example.org/", "not encrypted"),
    ],
)
def test_a_redirect_elsewhere_is_a_call_of_its_own(hop: str, problem: str) -> None:
    assert problem in redirect_problem("https://example.org/a", hop)
