"""Mail exchangers without an address do not stand in the way of those that have one."""
import pytest

from peers import A, AAAA, DELIVERED, LATER, MX, NEVER, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def deliver(beds, records):
    hop = beds.hop(address="127.0.0.2")
    relay = beds.relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": beds.dns(records).server, "mta-sts": "no"})
    return only(relay.deliver(["b@net.example"], destination="net.example"))


def exchangers(count, preference=lambda i: i):
    return [(preference(i), "mx%d.example" % i) for i in range(count)]


@pytest.mark.parametrize("last", [10, 11, 25])
def test_a_later_one_is_found(beds, last):                              # 5321-64, 5321-65
    got = deliver(beds, {("net.example", MX): exchangers(last + 1), ("mx%d.example" % last, A): ["127.0.0.2"]})
    assert got.cls == DELIVERED and got.host.startswith("mx%d.example " % last), got


def test_equals_are_all_looked_at(beds):
    got = deliver(beds, {("net.example", MX): exchangers(25, lambda i: 10), ("mx7.example", A): ["127.0.0.2"]})
    assert got.cls == DELIVERED, got


def test_one_that_cannot_be_asked_about(beds):
    records = {("net.example", MX): exchangers(12), ("mx11.example", A): ["127.0.0.2"]}
    for kind in (A, AAAA):
        records["mx3.example", kind] = "SERVFAIL"
    assert deliver(beds, dict(records)).cls == DELIVERED
    del records["mx11.example", A]
    got = deliver(beds, records)
    assert got.cls == LATER and got.enhanced == "4.4.3", got


@pytest.mark.parametrize("count", [10, 20, 25])
def test_none_has_an_address(beds, count):                              # 5321-63
    got = deliver(beds, {("net.example", MX): exchangers(count)})
    assert (got.cls, got.enhanced) == (NEVER, "5.4.4"), got
