"""A "not now" to AUTH is about this address, a "no" about the password."""
import pytest

from peers import A, DELIVERED, LATER, World, only


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


@pytest.mark.parametrize("said, cls, asked", [("454 4.7.0 Temporary authentication failure", DELIVERED, 2),
                                              ("421 4.3.2 not just now", DELIVERED, 2), ("535 5.7.8 wrong", LATER, 1)])
def test_the_other_address(beds, authority, said, cls, asked):
    papers = {"starttls": authority.context("DNS:smart.example"), "users": {"u": "secret"}}
    # Whichever of them the DNS names first says it.
    script = {"AUTH": [said]}
    hops = [beds.hop(script, address="127.0.0.2", **papers)]
    hops.append(beds.hop(script, address="127.0.0.3", port=hops[0].port, **papers))
    names = beds.dns({("smart.example", A): ["127.0.0.2", "127.0.0.3"]})
    relay = beds.relay({"relay": f"submission://u@smart.example:{hops[0].port}", "relay-ca-file": authority.ca, "dns-server": names.server},
                       password="secret")
    got = only(relay.deliver(["b@one.example"]))
    assert got.cls == cls and sum(len(hop.sessions) for hop in hops) == asked, got
