"""One principal's mail does not take every connection."""
import time

import pytest

from peers import A, AAAA, DELIVERED, DONE, MX, RESULT, Result, World
from postern_server import eventually


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def at(names, kind, count, address):
    """So many domains, with a mail exchanger each, which is always the same machine."""
    for i in range(count):
        host = "mx%d.%s.example" % (i, kind)
        names.update({("%s%d.example" % (kind, i), MX): [(10, host)], (host, A): [address], (host, AAAA): []})


def send(relay, domain, login):
    return relay.attempt(["b@" + domain], destination=domain, login=login)


def settled(relay, session, patience):
    """The result of one attempt, whatever becomes of others meanwhile."""
    end = time.monotonic() + patience
    while True:
        kind, number, body = relay.spool.receive(end - time.monotonic())
        if (kind, number) == (RESULT, session):
            got = Result(body)
        elif (kind, number) == (DONE, session):
            return got


def test_others_go_on(beds):
    slow = beds.hop({"MAIL": "STALL"}, address="127.0.0.2")
    good = beds.hop(address="127.0.0.3", port=slow.port)
    names = {}
    at(names, "slow", 40, "127.0.0.2")
    at(names, "good", 5, "127.0.0.3")
    relay = beds.relay({"relay": "mx", "relay-port": str(slow.port), "dns-server": beds.dns(names).server, "mta-sts": "no",
                        "relay-connections": "16"})
    for i in range(40):
        send(relay, "slow%d.example" % i, "mallory")
    eventually(lambda: slow.now >= 12, "places that are taken")
    for i in range(5):
        assert settled(relay, send(relay, "good%d.example" % i, "alice"), 5).cls == DELIVERED
    assert slow.now == 12 and len(good.mails) == 5


@pytest.mark.parametrize("places", ["1", "2", "4"])
def test_who_is_alone_is_kept_busy(beds, places):
    hop = beds.hop(address="127.0.0.2")
    names = {}
    at(names, "good", 30, "127.0.0.2")
    relay = beds.relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": beds.dns(names).server, "mta-sts": "no",
                        "relay-connections": places})
    begun, sessions = time.monotonic(), [send(relay, "good%d.example" % i, "alice") for i in range(30)]
    for one in sessions:
        assert relay.wait(one)[0].cls == DELIVERED
    assert time.monotonic() - begun < 10
