"""5_relay and MTA-STS policies that change, grow old and end (RFC 8461 3.3, 5.1), with a wall clock that the test turns."""
import time

import pytest

from peers import DELIVERED, LATER
from signed import TXT, SignedDns
from test_reports import clock  # noqa: F401
from test_sts import DOMAIN, World, again, fetched, good, other, policy, send, untouched, web_context, world  # noqa: F401

RECORD = "_mta-sts." + DOMAIN


@pytest.fixture
def fresh(world):  # noqa: F811
    """Names that nobody may keep."""
    world.dns = world.keep(SignedDns(world.records, ttl=0))
    return world


def publish(world, number, **what):  # noqa: F811
    world.web.body = policy(**what)
    world.set(RECORD, TXT, ["v=STSv1; id=%d;" % number])


def test_each_mode_follows_the_other(fresh, other):                     # sts-5, sts-6: a new id is a new policy  # noqa: F811
    hop = fresh.hop(starttls=other)
    fresh.serve(policy(mode="none", mx=[]))
    relay = fresh.relay(hop)
    assert send(relay).cls == DELIVERED
    publish(fresh, 2, mode="testing")
    relay = again(fresh, hop, relay)
    r = send(relay)
    assert r.cls == DELIVERED and " sts-testing unverified" in r.tls, r
    publish(fresh, 3, mode="enforce")
    relay = again(fresh, hop, relay)
    carried = len(hop.mails)
    assert send(relay).cls == LATER and len(hop.mails) == carried
    publish(fresh, 4, mode="none", mx=[])
    relay = again(fresh, hop, relay)
    assert send(relay).cls == DELIVERED
    # Other words under the same id are nobody's business before a day is over (8461 3.3).
    fresh.web.body = policy(mode="enforce")
    relay = again(fresh, hop, relay)
    assert send(relay).cls == DELIVERED and fetched(fresh.web) == 4


def wait(relay):
    """A destination that has failed counts as down for half of retry-first."""
    time.sleep(0.7)
    return send(relay)


def test_in_force_until_its_time_is_over(fresh, other, clock):          # sts-7, sts-3: max_age  # noqa: F811
    """Record and policy host are gone: what is kept holds to its last second, and no longer; a running relay and a new one alike."""
    hop = fresh.hop(starttls=other)
    fresh.serve(policy(max_age=3600))
    relay = fresh.relay(hop)
    assert send(relay).cls == LATER
    fresh.web.close()
    fresh.set(RECORD, TXT, None)
    clock(3500)
    assert wait(relay).cls == LATER
    relay = again(fresh, hop, relay)
    assert send(relay).cls == LATER
    untouched(hop)
    clock(3700)
    end = time.monotonic() + 5
    while (r := wait(relay)).cls == LATER and time.monotonic() < end:
        pass
    assert r.cls == DELIVERED and " opportunistic " in r.tls, r


def test_renewed_behind_everybody_s_back(fresh, other, clock):          # sts-8  # noqa: F811
    """A day later the policy is fetched again though its id is the same, and what it says then is in force."""
    hop = fresh.hop(starttls=other)
    fresh.serve(policy(mode="none", mx=[]))
    relay = fresh.relay(hop)
    assert send(relay).cls == DELIVERED
    fresh.web.body = policy(mode="enforce")
    clock(25 * 3600)
    relay = again(fresh, hop, relay)
    assert send(relay).cls == DELIVERED         # it waits for nobody
    end = time.monotonic() + 5
    while fetched(fresh.web) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    relay = again(fresh, hop, relay)
    assert send(relay).cls == LATER and fetched(fresh.web) == 2


@pytest.mark.parametrize("what", ["404", "gone"])
def test_a_failed_renewal_takes_nothing_away(fresh, other, clock, what):        # sts-7, sts-8: an alert each time  # noqa: F811
    hop = fresh.hop(starttls=other)
    fresh.serve(policy(max_age=7 * 86400))
    relay = fresh.relay(hop)
    assert send(relay).cls == LATER
    if what == "404":
        fresh.web.status = "404 Not Found"
    else:
        fresh.web.close()
    for day in (2, 4, 6):
        clock(day * 86400)
        relay = again(fresh, hop, relay)
        assert send(relay).cls == LATER
        end = time.monotonic() + 5
        while "sts-fetch-failed" not in relay.said() and time.monotonic() < end:
            time.sleep(0.02)
        assert "in-force=enforce" in relay.said()
    untouched(hop)
