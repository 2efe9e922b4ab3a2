"""What goes where, how much at once and from which address: docs/scheduling.md."""
import re
import time

import pytest

from peers import A, AAAA, DELIVERED, LATER, MX, Dns, Hop, Made, Relay, only
from road import QUICK, await_empty, queue, submit, waiting


@pytest.fixture
def made():
    things = Made()
    yield things.made
    things.close()


def relay_to(made, hop, records, **conf):
    made.append(Dns(records))
    made.append(Relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": made[-1].server, "mta-sts": "no", **conf}))
    return made[-1]


def hosted(count, hosts=("mx1.host.example", "mx2.host.example"), address="127.0.0.1"):
    """So many domains, all with the same mail exchangers, each in an order of its own."""
    names = {("d%d.example" % i, MX): [(10, h) for h in (hosts if i % 2 else hosts[::-1])] for i in range(count)}
    for h in hosts:
        names[(h, A)], names[(h, AAAA)] = [address], []
    return names


# ---- domains with the same hosts are one destination ----

def test_domains_of_one_provider_share_connections(made):
    hop = Hop()
    made.append(hop)
    relay = relay_to(made, hop, hosted(50))
    for i in range(50):
        assert only(relay.deliver(["b@d%d.example" % i], destination="d%d.example" % i)).cls == DELIVERED
    assert len(hop.mails) == 50 and len(hop.sessions) == 1


def test_domains_of_one_provider_share_concurrency(made):
    hop = Hop(slow=0.05)
    made.append(hop)
    relay = relay_to(made, hop, hosted(60), **{"relay-concurrency": "3"})
    sessions = [relay.attempt(["b@d%d.example" % i], destination="d%d.example" % i) for i in range(60)]
    for s in sessions:
        assert only(relay.wait(s)).cls == DELIVERED
    assert hop.most <= 3 and len(hop.mails) == 60


def test_other_hosts_are_another_destination(made):
    hop = Hop()
    made.append(hop)
    records = hosted(2)
    records[("d1.example", MX)] = [(10, "mx1.host.example"), (20, "mx2.host.example")]
    relay = relay_to(made, hop, records)
    for i in (0, 1):
        assert only(relay.deliver(["b@d%d.example" % i], destination="d%d.example" % i)).cls == DELIVERED
    assert len(hop.sessions) == 2


def test_a_dead_provider_is_knocked_at_once(made):
    """5321-70: what one domain found out of its hosts holds for all of them."""
    hop = Hop()
    made.append(hop)
    relay = relay_to(made, hop, hosted(20, address="127.0.0.9"), **{"retry-first": "1 min"})
    for i in range(20):
        r = only(relay.deliver(["b@d%d.example" % i], destination="d%d.example" % i))
        assert r.cls == LATER and r.code == 0
    assert len(re.findall("event=connect-failed", relay.said())) == 2      # one try of each of the two hosts


# ---- as much as it takes ----

def test_rate(made):
    hop = Hop()
    made.append(hop)
    relay = relay_to(made, hop, hosted(3), **{"relay-limit": "mx1.host.example rate=120"})
    begun = time.monotonic()
    for s in [relay.attempt(["b@d%d.example" % (i % 3)], destination="d%d.example" % (i % 3)) for i in range(8)]:
        assert only(relay.wait(s)).cls == DELIVERED
    # Two a second: three at once with the slack, then one each half second.
    assert 1.5 < time.monotonic() - begun < 6


def test_connections_of_one_domain(made):
    hop = Hop(slow=0.05)
    made.append(hop)
    relay = relay_to(made, hop, hosted(1), **{"relay-limit": "d0.example connections=2"})
    for s in [relay.attempt(["b@d0.example"], destination="d0.example") for _ in range(30)]:
        assert only(relay.wait(s)).cls == DELIVERED
    assert hop.most == 2


def test_a_connection_that_is_used_up_is_replaced_at_once(made):        # 9422-2
    hop = Hop(offers=["PIPELINING", "LIMITS MAILMAX=1"])
    made.append(hop)
    relay = relay_to(made, hop, hosted(1), **{"relay-concurrency": "1"})
    begun = time.monotonic()
    for s in [relay.attempt(["b@d0.example"], destination="d0.example") for _ in range(8)]:
        assert only(relay.wait(s)).cls == DELIVERED
    assert len(hop.sessions) == 8 and time.monotonic() - begun < 4


def test_who_asks_for_less_gets_less(made):
    hop = Hop(slow=0.02)
    made.append(hop)
    relay = relay_to(made, hop, hosted(1))
    for s in [relay.attempt(["b@d0.example"], destination="d0.example") for _ in range(60)]:
        relay.wait(s)
    before = hop.most
    hop.script["RCPT"] = "450 4.7.1 rate limit exceeded"
    for s in [relay.attempt(["b@d0.example"], destination="d0.example") for _ in range(30)]:
        assert only(relay.wait(s)).cls == LATER
    time.sleep(0.3)
    assert before >= 4 and hop.now <= len(hop.sessions) // 2


# ---- from where ----

def test_source_of_domain_login_and_everybody(made):
    hop = Hop()
    made.append(hop)
    froms = []
    accept = hop.serve
    hop.serve = lambda s, session: (froms.append(s.getpeername()[0]), accept(s, session))
    relay = relay_to(made, hop, hosted(1), **{"relay-source": "one.example 127.0.0.41\nrelay-source = login:carol 127.0.0.42\n"
                                              "relay-source = * 127.0.0.43"})
    for sender, login in (("a@one.example", "alice"), ("c@one.example", "carol/phone"), ("x@else.example", "alice"), ("", "")):
        assert only(relay.deliver(["b@d0.example"], destination="d0.example", sender=sender, login=login)).cls == DELIVERED
    assert froms == ["127.0.0.41", "127.0.0.42", "127.0.0.43"]             # the fourth shares the third's connection


def test_source_that_is_not_ours(made):
    hop = Hop()
    made.append(hop)
    relay = relay_to(made, hop, hosted(1), **{"relay-source": "* 192.0.2.99"})
    r = only(relay.deliver(["b@d0.example"], destination="d0.example"))
    assert r.cls == LATER and "relay-source" in r.text and "event=connect-failed" in relay.said()


def test_source_of_the_other_family_only(made):
    hop = Hop()
    made.append(hop)
    relay = relay_to(made, hop, hosted(1), **{"relay-source": "* ::1"})
    r = only(relay.deliver(["b@d0.example"], destination="d0.example"))
    assert r.cls == LATER and "no IPv4 address" in r.text


def test_source_ipv6(made):
    hop = Hop(address="::1")
    made.append(hop)
    records = hosted(1)
    for h in ("mx1.host.example", "mx2.host.example"):
        records[(h, A)], records[(h, AAAA)] = [], ["::1"]
    relay = relay_to(made, hop, records, **{"relay-source": "* 127.0.0.41 ::1"})
    assert only(relay.deliver(["b@d0.example"], destination="d0.example")).cls == DELIVERED


def test_urgent_mail_passes_by_but_not_for_ever(made):                  # 6710-4
    """One connection: of a principal's mail the most urgent goes first, and nobody is passed more than eight times."""
    hop = Hop(slow=0.03)
    made.append(hop)
    relay = relay_to(made, hop, hosted(1), **{"relay-concurrency": "1"})

    def attempt(name, priority):
        return relay.attempt([name + "@d0.example"], destination="d0.example", login="alice", priority=priority)

    sessions = [attempt("bulk", -4), attempt("plain", 0)] + [attempt("urgent%d" % n, 5) for n in range(20)]
    for s in sessions:
        assert only(relay.wait(s)).cls == DELIVERED
    order = [re.search("<(.*)@", m[1][0]).group(1) for m in hop.mails]
    assert order[0] == "urgent0" and order.index("plain") <= 9 and order.index("plain") < order.index("bulk") <= 10
    assert [n for n in order if n.startswith("urgent")] == ["urgent%d" % n for n in range(20)]


# ---- the whole way: what a reply means decides when it comes again ----

def test_greylisting_is_waited_for(world):                              # RFC 6647
    hop = world.hop("127.0.0.1", {"RCPT": ["451 4.7.1 Greylisted, come back in 3 seconds"]})
    world.names({"one.example": "127.0.0.1"})
    server = world.serve(QUICK)
    submit(server, "b@one.example")
    first = server.await_event("deferred")
    assert first["class"] == "greylisted"
    id = waiting(server)[0]["id"]
    assert "greylisted" in queue(server, "show", id)
    begun = time.monotonic()
    await_empty(server)
    assert time.monotonic() - begun > 2 and len(hop.mails) == 1         # not after retry-first, which is a second


def test_what_is_meant_stands_in_the_log(world):
    world.hop("127.0.0.1", {"RCPT TO:<no@": "550 5.1.1 nobody", "RCPT TO:<bad@": "554 5.7.1 blocked using zen.spamhaus.org",
                            "RCPT TO:<b@": "250 ok"})
    world.names({"one.example": "127.0.0.1"})
    server = world.serve(QUICK)
    submit(server, ["no@one.example", "bad@one.example"])
    server.await_event("failed", count=2)
    said = {e["to"]: e["class"] for e in server.events("failed")}
    assert said["no@one.example"] == "mailbox" and said["bad@one.example"] == "reputation"
