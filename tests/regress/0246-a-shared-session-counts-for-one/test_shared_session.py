"""Two domains share a connection, and each hears of it. rpt-2"""
import time

import pytest

from peers import A, DELIVERED, LATER, MX
from signed import TXT
from test_reports import counted, relay_for
from test_sts import World, policy, send

HOST, ONE, TWO = "mx.shared.example", "one.example", "two.example"


ANSWERS = {"mta-sts." + ONE: {"body": policy(mx=[HOST], max_age=604800)}, "mta-sts." + TWO: {"body": policy(mx=[HOST], max_age=86400)}}


@pytest.fixture
def world(tmp_path, authority):
    one = World(tmp_path, authority, authority.context("DNS:mta-sts.one.example,DNS:mta-sts.two.example", "both"))
    one.records = {(HOST, A): ["127.0.0.1"]}
    for domain in (ONE, TWO):
        one.records.update({(domain, MX): [(10, HOST)], ("mta-sts." + domain, A): ["127.0.0.1"],
                            ("_mta-sts." + domain, TXT): ["v=STSv1; id=1;"]})
    yield one
    one.close()


def test_each_is_counted_with_its_own_policy(world, authority):
    world.serve().answers = ANSWERS
    hop = world.hop(starttls=authority.context("DNS:" + HOST))
    relay = relay_for(world, hop)
    for domain in (ONE, TWO, ONE, TWO):
        assert send(relay, domain).cls == DELIVERED
    assert len(hop.sessions) == 1
    found = counted(relay)
    assert {k: v[:2] for k, v in found.items()} == {("sts", ONE): (1, 0), ("sts", TWO): (1, 0)}
    assert found["sts", ONE][2][-1] == "max_age: 604800" and found["sts", TWO][2][-1] == "max_age: 86400"


def test_nobody_is_counted_for_another(world, authority):
    """A connection made for one domain after the other's mail has gone."""
    for domain in (ONE, TWO):
        del world.records["_mta-sts." + domain, TXT]
    hop = world.hop(starttls=authority.context("DNS:" + HOST), offers=["LIMITS MAILMAX=1"])
    relay = relay_for(world, hop)
    for domain in (ONE, TWO, TWO):
        assert send(relay, domain).cls == DELIVERED
    assert len(hop.sessions) == 3
    assert {k: v[:2] for k, v in counted(relay).items()} == {("no-policy-found", ONE): (1, 0), ("no-policy-found", TWO): (2, 0)}


def test_a_failure_is_everybodys_who_waits_for_it(world, authority):
    world.serve().answers = ANSWERS
    hop = world.hop(starttls=authority.context("DNS:else.example"))
    relay = relay_for(world, hop)
    with hop.lock:                      # nobody is greeted before both wait
        sessions = [relay.attempt(["b@" + domain], destination=domain) for domain in (ONE, TWO, TWO)]
        end = time.monotonic() + 10
        while len(world.web.asked) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
    assert [relay.wait(s)[0].cls for s in sessions] == [LATER] * 3
    found = counted(relay)
    assert {k: v[:2] for k, v in found.items()} == {("sts", ONE): (0, 1), ("sts", TWO): (0, 1)}
    assert all([f[0] for f in v[3]] == ["certificate-host-mismatch"] for v in found.values()), found
