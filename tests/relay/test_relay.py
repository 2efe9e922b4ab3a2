"""5_relay from outside: what reaches the next hop, and what 4_spool is told."""
import os
import time

import pytest

from postern_server import eventually
from peers import (A, AAAA, AUTH, CNAME, CONTENT, DELIVERED, FLAG_8BIT, GREETING, LATER, MX, NEVER, RCPT_STAGE, STARTTLS,
                   World, only)

RCPTS = ["b@next.example"]


@pytest.fixture
def world():
    one = World()
    yield one
    one.close()


# ---- a plain next hop ----

def test_delivers_and_says_where(world):
    hop = world.hop()
    relay = world.smart(hop)
    r = only(relay.deliver(RCPTS, content=b"A: b\r\n\r\n.dot\r\nend\r\n"))
    assert (r.cls, r.code, r.enhanced, r.stage) == (DELIVERED, 250, "2.0.0", CONTENT)
    assert r.host == "[127.0.0.1]:%d" % hop.port and r.tls == "none" and r.dsn == 1
    sender, rcpts, content = hop.mails[0]
    assert sender.startswith("MAIL FROM:<a@relay.example> SIZE=19") and rcpts == ["RCPT TO:<b@next.example>"]
    assert content == b"A: b\r\n\r\n.dot\r\nend\r\n"
    assert hop.sessions[0].lines[0] == "EHLO relay.example"


def test_without_pipelining(world):
    hop = world.hop(offers=[])
    relay = world.smart(hop)
    results = relay.deliver(["b@next.example", "c@next.example"])
    assert [r.cls for r in results] == [DELIVERED, DELIVERED] and not results[0].dsn
    assert len(hop.mails) == 1                                          # 5321-72


def test_helo_when_ehlo_is_unknown(world):                              # 5321-8
    hop = world.hop({"EHLO": "502 what"})
    assert only(world.smart(hop).deliver(RCPTS)).cls == DELIVERED
    assert hop.sessions[0].lines[1] == "HELO relay.example"


def test_one_connection_carries_many(world):
    hop = world.hop()
    relay = world.smart(hop)
    for _ in range(20):
        assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert len(hop.sessions) == 1 and len(hop.mails) == 20


def test_null_reverse_path_and_dsn_parameters(world):                   # 3461-6
    hop = world.hop()
    relay = world.smart(hop)
    relay.deliver(RCPTS, sender="", ret=2, envid="QQ314159", notify=6, orcpt="rfc822;b+2Bx@next.example")
    sender, rcpts, _ = hop.mails[0]
    assert sender.startswith("MAIL FROM:<>") and "RET=HDRS" in sender and "ENVID=QQ314159" in sender
    assert rcpts == ["RCPT TO:<b@next.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@next.example"]


def test_eightbit_needs_eightbitmime(world):                            # 6152-2
    hop = world.hop(offers=["PIPELINING"])
    r = only(world.smart(hop).deliver(RCPTS, content=b"Subject: \xfc\r\n\r\nno encoding helps\r\n", flags=FLAG_8BIT))
    assert (r.cls, r.enhanced) == (NEVER, "5.6.3") and not hop.mails


def test_each_recipient_has_its_own_result(world):
    hop = world.hop({"RCPT TO:<no@": "550 5.1.1 nobody\r\n", "RCPT TO:<late@": "450 4.2.1 busy"})
    hop.script["RCPT TO:<no@"] = "550-5.1.1 nobody\r\n550 5.1.1 at all"
    relay = world.smart(hop)
    good, no, late = relay.deliver(["b@next.example", "no@next.example", "late@next.example"])
    assert good.cls == DELIVERED
    assert (no.cls, no.code, no.enhanced, no.stage) == (NEVER, 550, "5.1.1", RCPT_STAGE) and "nobody" in no.text
    assert (late.cls, late.code, late.enhanced) == (LATER, 450, "4.2.1")
    assert len(hop.mails[0][1]) == 1


def test_nobody_accepted_then_another_message(world):                   # 2920-5
    hop = world.hop({"RCPT TO:<no@": "550 5.1.1 nobody"})
    relay = world.smart(hop)
    assert only(relay.deliver(["no@next.example"])).cls == NEVER
    assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert len(hop.sessions) == 1 and len(hop.mails) == 1


@pytest.mark.parametrize("code", [452, 552])
def test_too_many_recipients_go_in_a_further_transaction(world, code):  # 5321-73
    reply = "%d %d.5.3 too many" % (code, code // 100)
    hop = world.hop({"RCPT TO:<r2@": [reply], "RCPT TO:<r3@": [reply, reply]})
    relay = world.smart(hop)
    results = relay.deliver(["r%d@next.example" % i for i in range(4)])
    assert [r.cls for r in results] == [DELIVERED] * 4
    assert [len(m[1]) for m in hop.mails] == [2, 1, 1] and len(hop.sessions) == 1


def test_limits(world):                                                 # 9422-2
    hop = world.hop(offers=["PIPELINING", "LIMITS RCPTMAX=3 MAILMAX=2"])
    relay = world.smart(hop)
    results = relay.deliver(["r%d@next.example" % i for i in range(10)])
    assert [r.cls for r in results] == [DELIVERED] * 10
    assert [len(m[1]) for m in hop.mails] == [3, 3, 3, 1]
    assert [len(s.mails) for s in hop.sessions] == [2, 2]


@pytest.mark.parametrize("most, sessions", [(1, 4), (2, 2), (4, 1)])
def test_limit_of_domains(world, most, sessions):                       # 0315
    hop = world.hop(offers=["PIPELINING", "LIMITS RCPTDOMAINMAX=%d" % most])
    relay = world.smart(hop)
    results = relay.deliver(["r%d@d%d.example" % (i, i % 4) for i in range(10)])
    assert [r.cls for r in results] == [DELIVERED] * 10
    assert len(hop.sessions) == sessions
    assert all(len({rcpt.split("@")[1] for m in s.mails for rcpt in m[1]}) <= most for s in hop.sessions)
    # A session that has been used goes on with what fits into it.
    assert only(relay.deliver(["x@other.example"])).cls == DELIVERED


def test_many_recipients(world):
    hop = world.hop()
    relay = world.smart(hop)
    results = relay.deliver(["r%d@next.example" % i for i in range(1500)])
    assert all(r.cls == DELIVERED for r in results) and len(results) == 1500
    assert [r.number for r in results] == list(range(1500))
    assert sum(len(m[1]) for m in hop.mails) == 1500


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
def test_421_in_the_middle(world, stage):
    hop = world.hop({stage: ["421 4.3.2 going down"]})
    relay = world.smart(hop)
    r = only(relay.deliver(RCPTS))
    assert (r.cls, r.code, r.enhanced) == (LATER, 421, "4.3.2")
    assert only(relay.deliver(RCPTS)).cls == DELIVERED and len(hop.sessions) == 2


def test_dropped_after_the_final_dot_is_later(world):                   # never counted as delivered (tls-16)
    hop = world.hop({"DOT": ["DROP"]})
    r = only(world.smart(hop).deliver(RCPTS))
    assert (r.cls, r.code, r.stage) == (LATER, 0, CONTENT) and r.enhanced.startswith("4.")


def test_5yz_to_data(world):
    hop = world.hop({"DATA": "554 5.7.1 not from you"})
    r = only(world.smart(hop).deliver(RCPTS))
    assert (r.cls, r.code, r.enhanced) == (NEVER, 554, "5.7.1")


def test_5yz_to_mail_is_not_remembered(world):                          # 5321-71
    hop = world.hop({"MAIL": ["550 5.1.8 no"]})
    relay = world.smart(hop)
    assert only(relay.deliver(RCPTS)).cls == NEVER
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


def test_kept_connection_that_died(world):
    hop = world.hop()
    relay = world.smart(hop)
    relay.deliver(RCPTS)
    for way in "421 4.4.2 you were idle", "DROP":
        hop.script["MAIL"] = [way]
        assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert len(hop.mails) == len(hop.sessions) == 3


def test_kept_connection_that_ends_at_rset(world):                     # 0290
    hop = world.hop({"RCPT": ["550 5.1.1 no"]})
    relay = world.smart(hop)
    assert only(relay.deliver(RCPTS)).cls == NEVER
    hop.script["RSET"] = ["421 4.4.2 you were idle"]
    assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert len(hop.mails) == 1 and len(hop.sessions) == 2


def test_big_message_from_many_extents(world):
    hop = world.hop()
    relay = world.smart(hop)
    content = b"".join(b".%07d " % i + b"x" * 60 + b"\r\n" for i in range(40000))
    assert only(relay.deliver(RCPTS, content=content, pieces=7)).cls == DELIVERED
    assert hop.mails[0][2] == content


def test_reply_in_the_middle_of_the_content(world):
    hop = world.hop({"EARLY": "452 4.3.1 no room"})
    content = b"x" * 70 + b"\r\n"
    r = only(world.smart(hop).deliver(RCPTS, content=content * 300000))
    assert r.cls == LATER


def test_last_words_before_a_reset(world):                              # 0291: what came behind the 354 was there all the time
    hop = world.hop({"DATA": "354 go on\r\n552 5.3.4 far too big", "EARLY": "RESET"})
    r = only(world.smart(hop).deliver(RCPTS, content=(b"x" * 70 + b"\r\n") * 300000))
    assert (r.cls, r.code, r.enhanced, r.stage) == (NEVER, 552, "5.3.4", CONTENT), r


def test_taken_before_it_is_sent(world):                                # 0292
    hop = world.hop({"DATA": "354 go on\r\n250 2.0.0 thank you", "DOT": ["DROP"]})
    r = only(world.smart(hop).deliver(RCPTS))
    assert (r.cls, r.code, r.stage) == (LATER, 0, CONTENT), r


def test_one_reply_too_many(world):                                     # 0292: it is not the next message's
    hop = world.hop({"DOT": ["250 2.0.0 ok\r\n250 2.0.0 again"], "RCPT TO:<d@next.example>": "550 5.1.1 no"})
    relay = world.smart(hop, **{"relay-concurrency": "1"})
    first, second = relay.attempt(RCPTS), relay.attempt(["c@next.example", "d@next.example"])
    assert only(relay.wait(first)).cls == DELIVERED
    assert [r.cls for r in relay.wait(second)] == [DELIVERED, NEVER]


def test_content_that_cannot_be_read(world):
    hop = world.hop()
    relay = world.smart(hop)
    extents = relay.store(b"short")
    r = only(relay.deliver(RCPTS, content=b"x" * 500000, extents=extents[:16] + (500000).to_bytes(4, "little")))
    assert r.cls == LATER and not hop.mails
    r = only(relay.deliver(RCPTS, content=b"xx", extents=extents))      # sizes disagree
    assert (r.cls, r.enhanced) == (LATER, "4.3.0")


# ---- reaching it ----

def test_nobody_listens(world):                                         # 5321-70
    hop = world.hop()
    hop.close()
    time.sleep(0.1)
    relay = world.smart(hop, **{"retry-first": "4 s"})
    r = only(relay.deliver(RCPTS))
    assert (r.cls, r.code, r.enhanced) == (LATER, 0, "4.4.1") and "refused" in r.text.lower()
    again = world.hop(port=hop.port)
    assert only(relay.deliver(RCPTS)).cls == LATER and not again.sessions       # remembered
    time.sleep(2.5)
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


def test_greeting_refuses(world):
    hop = world.hop({"GREETING": "554 5.3.2 no mail here"})
    r = only(world.smart(hop).deliver(RCPTS))
    assert (r.cls, r.code, r.stage) == (LATER, 554, GREETING)           # a smart host is the operator's to put right
    assert r.enhanced[0] == "4"


def test_concurrency_is_bounded(world):
    hop = world.hop(slow=0.05)
    relay = world.smart(hop, **{"relay-concurrency": "4"})
    sessions = [relay.attempt(RCPTS) for _ in range(40)]
    assert all(only(relay.wait(s)).cls == DELIVERED for s in sessions)
    assert 2 <= hop.most <= 4 and len(hop.mails) == 40


def test_connections_in_all_are_bounded(world):
    hop = world.hop(slow=0.02)
    dns = world.dns({("d%d.example" % i, A): ["127.0.0.1"] for i in range(8)})
    relay = world.relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": dns.server, "relay-connections": "2"})
    sessions = [relay.attempt(["b@d%d.example" % (i % 8)], destination="d%d.example" % (i % 8)) for i in range(24)]
    assert all(only(relay.wait(s)).cls == DELIVERED for s in sessions)
    assert hop.most <= 3        # one may be saying good-bye as the hop counts


# ---- TLS ----

def test_opportunistic_tls(world, authority):
    hop = world.hop(starttls=authority.context("IP:127.0.0.1"))
    r = only(world.smart(hop).deliver(RCPTS))
    assert r.cls == DELIVERED and r.tls.startswith("TLSv1.3 TLS_") and r.tls.endswith(" unverified")
    assert hop.sessions[0].tls == "TLSv1.3"


def test_opportunistic_tls_that_fails_goes_on_without(world):
    hop = world.hop(starttls="broken")
    relay = world.smart(hop)
    r = only(relay.deliver(RCPTS))
    assert r.cls == DELIVERED and r.tls.startswith("none (TLS failed") and len(hop.sessions) == 2
    assert "STARTTLS" not in hop.sessions[1].lines
    assert "reconnect-without-tls" in relay.said()


def smart_tls(world, authority, scheme, hop, names="127.0.0.1", password="secret", **conf):
    return world.relay({"relay": "%s://alice@%s:%d" % (scheme, names, hop.port), "relay-ca-file": authority.ca, **conf},
                       password=password)


@pytest.mark.parametrize("scheme", ["submissions", "submission"])
def test_smart_host_with_auth(world, authority, scheme):                # 8314-43
    context = authority.context("IP:127.0.0.1")
    tls = {"implicit": context} if scheme == "submissions" else {"starttls": context}
    hop = world.hop(users={"alice": "secret"}, **tls)
    relay = smart_tls(world, authority, scheme, hop)
    for _ in range(3):
        r = only(relay.deliver(RCPTS))
        assert r.cls == DELIVERED and r.tls.startswith("TLSv1.3 ") and r.tls.endswith(" verified")
    assert hop.sessions[0].login == "alice" and len(hop.sessions) == 1
    # Nothing but what finds TLS and begins it is said before.
    verbs = [line.split(" ")[0] for line in hop.sessions[0].lines]
    assert verbs[:verbs.index("AUTH") + 1] == (["EHLO", "STARTTLS"] if scheme == "submission" else []) + ["EHLO", "AUTH"]
    assert "secret" not in relay.said()


def test_wrong_name_is_refused_in_words(world, authority):
    hop = world.hop(implicit=authority.context("DNS:other.example"), users={"alice": "secret"})
    dns = world.dns({("smart.example", A): ["127.0.0.1"]})
    relay = smart_tls(world, authority, "submissions", hop, names="smart.example", **{"dns-server": dns.server})
    r = only(relay.deliver(RCPTS))
    assert (r.cls, r.stage) == (LATER, STARTTLS) and "smart.example" in r.text and "other.example" in r.text
    assert not hop.mails and hop.sessions[0].login is None


def test_unknown_ca_is_refused(world, authority):
    hop = world.hop(implicit=authority.context("IP:127.0.0.1"), users={"alice": "secret"})
    relay = world.relay({"relay": "submissions://alice@127.0.0.1:%d" % hop.port}, password="secret")
    r = only(relay.deliver(RCPTS))
    assert r.cls == LATER and "test CA" in r.text and not hop.mails


def test_starttls_stripped_is_refused(world, authority):                # 8314-43, 3207-13
    hop = world.hop(users={"alice": "secret"})
    r = only(smart_tls(world, authority, "submission", hop).deliver(RCPTS))
    assert r.cls == LATER and not hop.mails and not any("AUTH" in line for line in hop.sessions[0].lines)


def test_another_mechanism_when_the_first_will_not_do(world, authority):        # 4954-32
    hop = world.hop({"AUTH PLAIN": "504 5.5.4 not that one"}, implicit=authority.context("IP:127.0.0.1"),
                    users={"alice": "secret"})
    assert only(smart_tls(world, authority, "submissions", hop).deliver(RCPTS)).cls == DELIVERED
    assert [line.split(" ")[1] for line in hop.sessions[0].lines if line.startswith("AUTH")] == ["PLAIN", "LOGIN"]


def test_no_mechanism_that_will_do(world, authority):
    hop = world.hop(implicit=authority.context("IP:127.0.0.1"))
    hop.offers.append("AUTH GSSAPI")
    r = only(smart_tls(world, authority, "submissions", hop).deliver(RCPTS))
    assert (r.cls, r.stage) == (LATER, AUTH) and len(hop.sessions) == 1


def test_wrong_password_keeps_the_mail(world, authority):
    hop = world.hop(implicit=authority.context("IP:127.0.0.1"), users={"alice": "other"})
    r = only(smart_tls(world, authority, "submissions", hop).deliver(RCPTS))
    assert (r.cls, r.code, r.stage) == (LATER, 535, AUTH) and r.enhanced == "4.7.8"
    assert len(hop.sessions) == 1


# ---- MX ----

def mx(world, records, hop, **conf):
    dns = world.dns(records)
    return world.relay({"relay": "mx", "relay-port": str(hop.port), "dns-server": dns.server, **conf}), dns


def test_mx_order_and_fall_over(world):                                 # 5321-64, 5321-65
    hop = world.hop(address="127.0.0.3")
    relay, _ = mx(world, {("net.example", MX): [(20, "two.example"), (10, "one.example")],
                          ("one.example", A): ["127.0.0.2"], ("two.example", A): ["127.0.0.3"]}, hop)
    r = only(relay.deliver(["b@net.example"], destination="net.example"))
    assert r.cls == DELIVERED and r.host == "two.example [127.0.0.3]:%d" % hop.port
    assert "one.example [127.0.0.2]" in relay.said()


def test_mx_greeting_4yz_tries_the_next(world):
    bad = world.hop({"GREETING": "421 4.3.2 later"}, address="127.0.0.2")
    hop = world.hop(address="127.0.0.3", port=bad.port)
    relay, _ = mx(world, {("net.example", MX): [(20, "two.example"), (10, "one.example")],
                          ("one.example", A): ["127.0.0.2"], ("two.example", A): ["127.0.0.3"]}, hop)
    assert only(relay.deliver(["b@net.example"], destination="net.example")).cls == DELIVERED
    assert len(bad.sessions) == 1


def test_implicit_mx_ipv6_and_cname(world):                             # 5321-60, 5321-62
    hop = world.hop(address="::1")
    relay, _ = mx(world, {("alias.example", CNAME): ["real.example"], ("real.example", AAAA): ["::1"]}, hop)
    r = only(relay.deliver(["b@alias.example"], destination="Alias.Example"))
    assert r.cls == DELIVERED and "[::1]" in r.host


def test_address_literal(world):
    hop = world.hop()
    relay, dns = mx(world, {}, hop)
    assert only(relay.deliver(["b@[127.0.0.1]"], destination="[127.0.0.1]")).cls == DELIVERED
    assert not dns.asked


@pytest.mark.parametrize("records, cls, code, enhanced", [
    ({("net.example", MX): [(0, ".")], ("net.example", A): ["127.0.0.1"]}, NEVER, 556, "5.1.10"),       # 7505-1, 5321-75
    ({}, NEVER, 0, "5.1.2"),                                                                            # 5321-61
    ({("net.example", MX): "SERVFAIL"}, LATER, 0, "4.4.3"),                                             # 5321-61
    ({("net.example", MX): [(5, "gone.example")], ("net.example", A): ["127.0.0.1"]}, NEVER, 0, "5.4.4"),       # 5321-63
    ({("net.example", MX): [(5, "mx.example")], ("mx.example", A): "SERVFAIL", ("mx.example", AAAA): "SERVFAIL"},
     LATER, 0, "4.4.3"),
    ({("net.example", MX): [(5, "relay.example"), (9, "worse.example")], ("worse.example", A): ["127.0.0.1"]},
     NEVER, 0, "5.4.6"),                                                                                # 5321-66
    ({("net.example", AAAA): []}, NEVER, 0, "5.4.4"),
])
def test_dns_verdicts(world, records, cls, code, enhanced):
    hop = world.hop()
    relay, dns = mx(world, records, hop)
    r = only(relay.deliver(["b@net.example"], destination="net.example"))
    assert (r.cls, r.code, r.enhanced) == (cls, code, enhanced), r
    assert (cls == LATER) == r.text.endswith(f" (asked: {dns.server})"), r
    assert "net.example" in r.text or "mx.example" in r.text
    assert not hop.sessions


def test_all_mx_say_never(world):                                       # 7504-1
    hop = world.hop({"GREETING": "521 5.3.2 no mail ever"})
    relay, _ = mx(world, {("net.example", A): ["127.0.0.1"]}, hop)
    r = only(relay.deliver(["b@net.example"], destination="net.example"))
    assert (r.cls, r.code, r.enhanced) == (NEVER, 521, "5.3.2")


# ---- Maildir ----

def maildir(world, tmp_path):
    return world.relay({"relay": "maildir:%s/mail" % tmp_path}), tmp_path / "mail"


def test_maildir(world, tmp_path):
    relay, folder = maildir(world, tmp_path)
    results = relay.deliver(["b@relay.example", "c@relay.example"], content=b"S: x\r\n\r\n.a\r\n" + b"y" * 70 + b"\r\n", pieces=3)
    assert [r.cls for r in results] == [DELIVERED] * 2
    assert results[0].host == "maildir %s" % folder and results[0].enhanced == "2.0.0"
    name, = os.listdir(folder / "new")
    assert (folder / "new" / name).read_bytes() == (
        b"Return-Path: <a@relay.example>\nDelivered-To: b@relay.example\nDelivered-To: c@relay.example\n"
        b"S: x\n\n.a\n" + b"y" * 70 + b"\n")
    assert os.listdir(folder / "tmp") == [] and os.path.isdir(folder / "cur")
    # The same message after a crash is the same file.
    assert all(r.cls == DELIVERED for r in relay.deliver(["b@relay.example", "c@relay.example"]))
    assert os.listdir(folder / "new") == [name]


def test_maildir_many(world, tmp_path):
    relay, folder = maildir(world, tmp_path)
    sessions = [relay.attempt(["b@relay.example"], queue_id=(i + 1) << 18) for i in range(100)]
    assert all(only(relay.wait(s)).cls == DELIVERED for s in sessions)
    assert len(os.listdir(folder / "new")) == 100


def test_maildir_that_cannot_be_written(world, tmp_path):
    (tmp_path / "mail").write_text("a file")
    relay, _ = maildir(world, tmp_path)
    r = only(relay.deliver(RCPTS))
    assert r.cls == LATER and "directory" in r.text


# ---- life ----

def test_drain_finishes_what_runs(world):
    hop = world.hop(slow=0.5)
    relay = world.smart(hop)
    running = relay.attempt(RCPTS)
    time.sleep(0.25)
    relay.drain()
    assert only(relay.wait(running)).cls == DELIVERED
    assert hop.sessions[0].lines[-1] == "QUIT"


def test_drain_says_quit_to_idle_ones(world):
    hop = world.hop()
    relay = world.smart(hop)
    relay.deliver(RCPTS)
    relay.drain()
    assert hop.sessions[0].lines[-1] == "QUIT"


def test_idle_connection_says_quit(world):
    hop = world.hop()
    relay = world.smart(hop)
    relay.deliver(RCPTS)
    eventually(lambda: hop.sessions[0].lines[-1] == "QUIT", "QUIT", 10.5)
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


def test_reload_goes_to_the_new_host(world):
    old, new = world.hop(), world.hop()
    relay = world.smart(old)
    relay.deliver(RCPTS)
    relay.reload(relay="smtp://127.0.0.1:%d" % new.port)
    time.sleep(0.2)
    assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert len(old.mails) == len(new.mails) == 1 and old.sessions[0].lines[-1] == "QUIT"


def test_spool_comes_back(world):
    hop = world.hop(slow=0.4)
    relay = world.smart(hop)
    relay.attempt(RCPTS)
    time.sleep(0.2)
    relay.spool.sock.close()
    time.sleep(0.1)
    relay.new_spool()
    hop.slow = 0
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


def test_spool_that_breaks_the_order_is_ended(world):
    hop = world.hop()
    relay = world.smart(hop)
    relay.spool.send(83, 5, b"no try came before")
    with pytest.raises(EOFError):
        relay.spool.receive(5)
    relay.new_spool()
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


@pytest.mark.parametrize("domain", ["other.example\0x", "\0", "\0net.example"])
def test_a_domain_that_is_no_name(world, domain):                       # 0581: it was put where nobody finds it again
    hop = world.hop(address="127.0.0.3")
    relay, _ = mx(world, {("net.example", MX): [(10, "one.example")], ("one.example", A): ["127.0.0.3"]}, hop)
    assert only(relay.deliver(["b@" + domain], destination=domain)).cls == NEVER
    time.sleep(2.5)                                                     # a sweep a second
    assert only(relay.deliver(["b@net.example"], destination="net.example")).cls == DELIVERED
