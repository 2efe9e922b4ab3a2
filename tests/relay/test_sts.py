"""5_relay and MTA-STS (RFC 8461): what a domain's policy stops, what it lets through, and what stays in force when its DNS, its web
server or its certificate are gone."""
import os
import socket
import time

import pytest

from listeners import HttpsServer, header, response
from peers import A, DELIVERED, LATER, MX, NEVER, Authority, Made, Relay
from signed import TLSA, TXT, SignedDns, Zone

DOMAIN, HOST, POLICY_HOST = "one.example", "mx.one.example", "mta-sts.one.example"
FLAG_REQUIRETLS, FLAG_TLS_OPTIONAL = 16, 32


def policy(mode="enforce", mx=(HOST,), max_age=604800, end="\r\n"):
    return end.join(["version: STSv1", "mode: " + mode] + ["mx: " + m for m in mx] + ["max_age: %d" % max_age, ""])


class Web(HttpsServer):
    """Gives one answer to everybody, or what answers[host] has instead to whom asks for that host."""

    def __init__(self, context, body, status="200 OK", kind="text/plain", more="", slow=0):
        self.slow, self.now, self.most, self.answers = slow, 0, 0, {}
        self.body, self.status, self.kind, self.more = body, status, kind, more
        super().__init__(context)

    def answer(self, lines, _):
        self.asked.append(lines)
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(self.slow)
        self.now -= 1
        said = {"body": self.body, "status": self.status, "kind": self.kind, "more": self.more, **self.answers.get(header(lines, "host").split(":")[0], {})}
        return response(said["status"], said["body"].encode(), f"Content-Type: {said['kind']}\r\n{said['more']}")


@pytest.fixture(scope="session")
def good(authority):
    return authority.context("DNS:" + HOST)


@pytest.fixture(scope="session")
def other(authority):
    return authority.context("DNS:other.example")


@pytest.fixture(scope="session")
def web_context(authority):
    return authority.context("DNS:" + POLICY_HOST)


class World(Made):
    def __init__(self, tmp_path, authority, web_context):
        super().__init__()
        self.folder, self.authority, self.web_context = tmp_path, authority, web_context
        self.records = {(DOMAIN, MX): [(10, HOST)], (HOST, A): ["127.0.0.1"], (POLICY_HOST, A): ["127.0.0.1"],
                        ("_mta-sts." + DOMAIN, TXT): ["v=STSv1; id=1;"]}
        self.zone = Zone(DOMAIN)
        self.signed = False
        self.web = self.dns = None

    def serve(self, body=None, context=None, **more):
        self.web = self.keep(Web(context or self.web_context, policy() if body is None else body, **more))
        return self.web

    def relay(self, hop, **conf):
        if self.web is None:
            self.serve()
        if self.dns is None:
            self.dns = self.keep(SignedDns(self.records, [self.zone] if self.signed else []))
        full = {"relay": "mx", "relay-port": str(hop.port), "dns-server": self.dns.server, "relay-ca-file": self.authority.ca,
                "mta-sts-port": str(self.web.port)}
        if self.signed:
            full["dns-trust-anchor"] = self.zone.anchor(self.folder)
        full.update({k.replace("_", "-"): v for k, v in conf.items()})
        return self.keep(Relay(full))

    def set(self, name, kind, value):
        if value is None:
            self.dns.records.pop((name, kind), None)
        else:
            self.dns.records[(name, kind)] = value


@pytest.fixture
def world(tmp_path, authority, web_context):
    w = World(tmp_path, authority, web_context)
    yield w
    w.close()


def send(relay, destination=DOMAIN, **more):
    results = relay.deliver(["b@" + destination], destination=destination, **more)
    assert len(results) == 1, results
    return results[0]


def untouched(hop):
    assert not hop.mails and not any(line.startswith(("MAIL", "RCPT", "DATA")) for s in hop.sessions for line in s.lines)


def fetched(web):
    return len(web.asked)


# ---- enforce ----

def test_enforce(world, good):                                          # sts-2, sts-5, sts-11
    hop = world.hop(starttls=good)
    relay = world.relay(hop)
    for _ in range(3):
        r = send(relay)
        assert r.cls == DELIVERED and r.tls.endswith(" sts mx.one.example verified"), r
    assert fetched(world.web) == 1
    assert world.web.asked[0][0] == "GET /.well-known/mta-sts.txt HTTP/1.1"
    assert "Host: %s:%d" % (POLICY_HOST, world.web.port) in world.web.asked[0]


@pytest.mark.parametrize("what", ["other name", "self-signed"])
def test_enforce_and_a_certificate_that_proves_nothing(world, other, tmp_path, what):   # sts-4, sts-5
    stranger = Authority(tmp_path)
    hop = world.hop(starttls=other if what == "other name" else stranger.context("DNS:" + HOST))
    relay = world.relay(hop)
    r = send(relay)
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and "TLS failed" in r.text, r
    untouched(hop)
    assert len(hop.sessions) == 1
    name = "certificate-host-mismatch" if what == "other name" else "certificate-not-trusted"
    assert "result=" + name in relay.said() and "policy=sts" in relay.said()


def test_enforce_without_starttls(world):                               # sts-5: a middle box has stripped it
    hop = world.hop()
    r = send(world.relay(hop))
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and "STARTTLS" in r.text, r
    untouched(hop)


def test_enforce_and_an_mx_without_a_pattern(world, good):              # sts-4: the next one is tried
    world.serve(policy(mx=["second.one.example"]))
    hop = world.hop(starttls=good)
    relay = world.relay(hop)
    r = send(relay)
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and "does not name this mail exchanger" in r.text, r
    assert not hop.sessions and "result=validation-failure" in relay.said()


def test_the_next_mx_is_tried(world, authority, other):                 # sts-5
    world.serve(policy(mx=["second.one.example"]))
    world.records.update({(DOMAIN, MX): [(10, HOST), (20, "second.one.example")], ("second.one.example", A): ["127.0.0.1"]})
    hop = world.hop(starttls=authority.context("DNS:second.one.example"))
    r = send(world.relay(hop))
    assert r.cls == DELIVERED and r.host.startswith("second.one.example ") and len(hop.sessions) == 1, r


@pytest.mark.parametrize("pattern, good", [("*.one.example", True), ("*.example", False), ("*.mx.one.example", False)])
def test_patterns(world, authority, pattern, good):                     # sts-4: one label
    world.serve(policy(mx=[pattern]))
    hop = world.hop(starttls=authority.context("DNS:" + HOST))
    assert (send(world.relay(hop)).cls == DELIVERED) == good


# ---- testing, none ----

@pytest.mark.parametrize("what, result", [("other name", "certificate-host-mismatch"), ("no tls", "starttls-not-supported"),
                                          ("no pattern", "validation-failure")])
def test_testing_delivers_and_says_so(world, good, other, what, result):        # sts-5
    world.serve(policy(mode="testing", mx=["else.example"] if what == "no pattern" else [HOST]))
    hop = world.hop(**({} if what == "no tls" else {"starttls": other if what == "other name" else good}))
    relay = world.relay(hop)
    r = send(relay)
    assert r.cls == DELIVERED and (r.tls == "none" or " sts-testing " in r.tls), r
    said = [line for line in relay.said().splitlines() if "sts-testing" in line and "result=" in line]
    assert len(said) == 1 and "result=" + result in said[0], relay.said()


def test_testing_without_fault_is_quiet(world, good):
    world.serve(policy(mode="testing"))
    relay = world.relay(world.hop(starttls=good))
    r = send(relay)
    assert r.cls == DELIVERED and r.tls.endswith(" sts-testing mx.one.example verified"), r
    assert "event=sts-testing" not in relay.said()


def test_none(world):                                                   # sts-5
    world.serve(policy(mode="none", mx=[]))
    r = send(world.relay(world.hop()))
    assert r.cls == DELIVERED and r.tls == "none", r


# ---- no policy ----

@pytest.mark.parametrize("records", [None, ["v=STSv1; id=1;", "v=STSv1; id=2;"], ["v=STSv1; id=not-an-id;"], ["v=spf1 -all"], "SERVFAIL"])
def test_no_record_no_policy(world, records):                           # sts-1
    if records is None:
        del world.records["_mta-sts." + DOMAIN, TXT]
    else:
        world.records["_mta-sts." + DOMAIN, TXT] = records
    r = send(world.relay(world.hop()))
    assert r.cls == DELIVERED and fetched(world.web) == 0, r


def test_record_among_others_and_in_pieces(world, other):               # sts-1
    world.records["_mta-sts." + DOMAIN, TXT] = ["v=spf1 -all", "v=STSv1; " + "x=%s; " % ("y" * 255) + "id=7"]
    assert send(world.relay(world.hop(starttls=other))).cls == LATER and fetched(world.web) == 1


@pytest.mark.parametrize("what", ["404 Not Found", "301 Moved Permanently", "html", "too big", "rubbish", "no certificate", "nobody"])
def test_fetch_that_fails(world, authority, web_context, what):         # sts-2, sts-7
    result = "sts-policy-fetch-error"
    more = {}
    if what[0].isdigit():
        more = {"status": what, "more": "Location: https://%s/elsewhere\r\n" % POLICY_HOST}
    elif what == "html":
        more = {"kind": "text/html"}
    elif what == "too big":
        more = {"body": policy() + "x: y\r\n" * 20000}
    elif what == "rubbish":
        more, result = {"body": "<html>\n"}, "sts-policy-invalid"
    elif what == "no certificate":
        more, result = {"context": authority.context("DNS:somebody.example")}, "sts-webpki-invalid"
    elif what == "nobody":
        del world.records[POLICY_HOST, A]
    world.serve(**more)
    relay = world.relay(world.hop())
    for _ in range(2):
        assert send(relay).cls == DELIVERED
    said = [line for line in relay.said().splitlines() if "sts-fetch-failed" in line]
    assert len(said) == 1 and "result=" + result in said[0] and "in-force=nothing" in said[0], relay.said()     # sts-8: not again so soon
    assert fetched(world.web) <= 1


def test_subdomain_has_no_policy_of_its_parent(world):                  # sts-10
    world.records["sub." + DOMAIN, A] = ["127.0.0.1"]
    assert send(world.relay(world.hop()), destination="sub." + DOMAIN).cls == DELIVERED


def test_switched_off(world):
    assert send(world.relay(world.hop(), mta_sts="no")).cls == DELIVERED and fetched(world.web) == 0


# ---- what is kept ----

def again(world, hop, relay, **conf):
    """The same relay, started anew."""
    folder = relay.conf["state-dir"]
    relay.stop()
    return world.relay(hop, state_dir=folder, **conf)


def test_kept_over_a_restart_when_everything_is_gone(world, other):     # sts-7
    hop = world.hop(starttls=other)
    relay = world.relay(hop)
    assert send(relay).cls == LATER
    world.web.close()
    for gone in None, "SERVFAIL", ["v=STSv1; id=2;"]:
        world.set("_mta-sts." + DOMAIN, TXT, gone)
        relay = again(world, hop, relay)
        r = send(relay)
        assert r.cls == LATER and r.enhanced == "4.7.5", (gone, r)
    untouched(hop)
    assert "in-force=enforce" in relay.said()


def test_kept_file_is_whole_and_private(world, good):
    relay = world.relay(world.hop(starttls=good))
    send(relay)
    path = os.path.join(relay.conf["state-dir"], "relay", "mta-sts", DOMAIN)
    head, _, text = open(path, newline="").read().partition("\n")
    assert head.startswith("postern-mta-sts 1 1 ") and text == policy(end="\n") and os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(os.path.dirname(path)) == [DOMAIN]


@pytest.mark.parametrize("spoil", ["old", "future", "torn", "rubbish"])
def test_kept_file_that_is_no_good(world, other, spoil):                # sts-3: max_age
    hop = world.hop(starttls=other)
    relay = world.relay(hop)
    assert send(relay).cls == LATER
    path = os.path.join(relay.conf["state-dir"], "relay", "mta-sts", DOMAIN)
    world.web.close()
    head, _, text = open(path, newline="").read().partition("\n")
    when = int(head.split()[3])
    with open(path, "w", newline="") as f:
        f.write({"old": "postern-mta-sts 1 1 %d\n%s" % (when - 604801000, text), "torn": head + "\n" + text[:20],
                 "future": "postern-mta-sts 1 1 %d\n%s" % (when + 86400000, text), "rubbish": "\n"}[spoil])
    relay = again(world, hop, relay)
    assert send(relay).cls == DELIVERED
    assert not os.path.exists(path)


def test_same_id_is_not_fetched_again(world, good):
    hop = world.hop(starttls=good)
    relay = world.relay(hop)
    send(relay)
    relay = again(world, hop, relay)
    assert send(relay).cls == DELIVERED and fetched(world.web) == 1


def test_old_policy_is_fetched_anew(world, good):                       # sts-8: daily, behind everybody's back
    hop = world.hop(starttls=good)
    relay = world.relay(hop)
    send(relay)
    path = os.path.join(relay.conf["state-dir"], "relay", "mta-sts", DOMAIN)
    head, _, text = open(path, newline="").read().partition("\n")
    with open(path, "w", newline="") as f:
        f.write("postern-mta-sts 1 1 %d\n%s" % (int(head.split()[3]) - 2 * 86400000, text))
    relay = again(world, hop, relay)
    assert send(relay).cls == DELIVERED
    end = time.monotonic() + 10
    while fetched(world.web) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert fetched(world.web) == 2


def test_new_policy_is_looked_for_after_a_failure(world, other):        # sts-6
    """Not only five minutes later: the very next attempt asks for the id again."""
    hop = world.hop(starttls=other)
    world.dns = world.keep(SignedDns(world.records, ttl=0))
    relay = world.relay(hop)
    assert send(relay).cls == LATER
    world.web.body = policy(mode="none", mx=[])
    world.set("_mta-sts." + DOMAIN, TXT, ["v=STSv1; id=2;"])
    time.sleep(1)               # the destination counts as down for half of retry-first
    assert send(relay).cls == DELIVERED and fetched(world.web) == 2


# ---- beside the others ----

def test_dane_is_not_overridden(world, good):                           # sts-9
    world.signed = True
    hop = world.hop(starttls=good)
    world.records["_%d._tcp.%s" % (hop.port, HOST), TLSA] = [(3, 1, 1, b"x" * 32)]
    r = send(world.relay(hop))
    assert r.cls == LATER and "no TLSA record fits" in r.text, r
    untouched(hop)


def test_requiretls_by_policy(world, good):                             # 8689-2: the MX name is secured by MTA-STS
    hop = world.hop(starttls=good, offers=["PIPELINING", "REQUIRETLS"])
    r = send(world.relay(hop), flags=FLAG_REQUIRETLS)
    assert r.cls == DELIVERED and hop.mails[0][0].endswith(" REQUIRETLS"), r


def test_requiretls_without_policy(world, good):
    del world.records["_mta-sts." + DOMAIN, TXT]
    hop = world.hop(starttls=good, offers=["PIPELINING", "REQUIRETLS"])
    r = send(world.relay(hop), flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30") and not hop.sessions, r


def test_tls_optional(world, other):                                    # 8689-5
    r = send(world.relay(world.hop(starttls=other)), flags=FLAG_TLS_OPTIONAL)
    assert r.cls == DELIVERED and fetched(world.web) == 0, r


def test_smart_host_has_its_own_policy(world, other):                   # sts-10
    world.records[DOMAIN, A] = ["127.0.0.1"]
    world.serve(policy(mx=[DOMAIN]))
    hop = world.hop(starttls=other)
    r = send(world.relay(hop, relay="smtp://%s:%d" % (DOMAIN, hop.port)), destination="")
    assert r.cls == LATER and "TLS failed" in r.text, r
    untouched(hop)


def test_slow_policy_host_delays_nobody_else(world, good):
    """A policy host that takes the connection and says nothing."""
    silent = world.keep(socket.create_server(("127.0.0.1", 0)))
    world.records.update({("two.example", A): ["127.0.0.1"]})
    relay = world.relay(world.hop(), mta_sts_port=str(silent.getsockname()[1]))
    slow = relay.attempt(["b@" + DOMAIN], destination=DOMAIN)
    began = time.monotonic()
    assert send(relay, destination="two.example").cls == DELIVERED
    assert time.monotonic() - began < 5 and relay.pending[slow] == []


def test_many_domains_at_once(world, authority):
    """More than are fetched at a time: the others wait their turn, and each gets its own policy."""
    count = 90
    domains = ["d%d.many.example" % i for i in range(count)]
    for d in domains:
        world.records.update({(d, A): ["127.0.0.1"], ("mta-sts." + d, A): ["127.0.0.1"], ("_mta-sts." + d, TXT): ["v=STSv1; id=1"]})
    world.serve(policy(mx=["*.many.example"]), slow=1, context=authority.context(",".join("DNS:mta-sts." + d for d in domains), "many"))
    hop = world.hop(starttls=authority.context("DNS:*.many.example", "wild"))
    relay = world.relay(hop)
    sessions = [relay.attempt(["b@" + d], destination=d) for d in domains]
    results = [relay.wait(s, 60)[0] for s in sessions]
    assert all(r.cls == DELIVERED and " sts " in r.tls for r in results), [r for r in results if r.cls != DELIVERED][:3]
    assert fetched(world.web) == count and 32 < world.web.most <= 64


@pytest.mark.parametrize("how", ["reload", "drain", "end"])
def test_ends_in_the_middle_of_a_fetch(world, how):
    world.serve(slow=5)
    relay = world.relay(world.hop())
    session = relay.attempt(["b@" + DOMAIN], destination=DOMAIN)
    end = time.monotonic() + 10
    while not world.web.asked and time.monotonic() < end:
        time.sleep(0.02)
    began = time.monotonic()
    if how == "reload":
        relay.reload(mta_sts="no")
        assert relay.wait(session)[0].cls == DELIVERED
    elif how == "drain":
        relay.drain()
    assert time.monotonic() - began < 4
