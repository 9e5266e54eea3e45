"""Which addresses a check may talk to."""

import pytest

from lastgood.decisions.addresses import why_blocked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "fd12:3456::1",
        "8.8.8.8",
        "2600:1f18::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_hosts_of_services(address: str) -> None:
    assert why_blocked(address) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("169.254.169.254", "metadata"),
        ("169.254.0.1", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:0:169.254.169.254", "link-local"),
        ("::169.254.169.254", "link-local"),
        ("64:ff9b::169.254.169.254", "link-local"),
        ("64:ff9b:1::169.254.169.254", "link-local"),
        ("2002:a9fe:a9fe::", "link-local"),
        ("2001:0:1:1::5601:5601", "link-local"),  # Teredo hides the client's address inverted
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("febf::1", "link-local"),
        ("fd00:ec2::254", "metadata"),
        ("fd00:ec2::23", "metadata"),
        ("0.0.0.0", "no host"),
        ("0.1.2.3", "no host"),
        ("::", "no host"),
        ("240.0.0.1", "no host"),
        ("255.255.255.255", "no host"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("::ffff:224.0.0.1", "multicast"),
    ],
)
def test_where_checks_never_go(address: str, why: str) -> None:
    assert why in (why_blocked(address) or "")


def test_only_the_usual_notation() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        why_blocked("0251.0376.0251.0376")
