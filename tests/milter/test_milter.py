"""Milters and what they may do to a message, through a running server. The milter is tests/milter/milters.py."""
import concurrent.futures
import contextlib
import os
import re
import signal
import smtplib
import socket
import threading
import time

import pytest

from postern_server import eventually, postern
from milters import Milter, add, body, change, insert, packet, reply

FROM = "a@mail.example.org"


def submit(one, text="hello\r\n", to=("b@example.net",), subject="s", headers="", options=(), helo="c.example.org"):
    """What the server says to the final dot, or to a recipient whom it does not take."""
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=60, context=one.context(), local_hostname=helo) as smtp:
        smtp.login(one.login, one.key)
        smtp.mail(FROM, list(options))
        for rcpt in to:
            code, said = smtp.rcpt(rcpt)
            if code != 250:
                return f"{code} {said.decode()}"
        code, said = smtp.data(f"From: {FROM}\r\nSubject: {subject}\r\n{headers}\r\n{text}".encode())
        return f"{code} {said.decode()}"


@pytest.fixture
def served(make_server):
    """served(milter, ...): a server that asks these; more are further lines of its configuration."""
    closed = []

    def make(*asked, more="", behind=""):
        closed.extend(asked)
        places = ", ".join(f'"{m.place if isinstance(m, Milter) else m}{behind}"' for m in asked)
        one = make_server(config=f"milter = {{ {places} }}\nretry-first = \"1 s\"\n{more}").start()
        one.add_key()
        return one

    yield make
    for milter in closed:
        if isinstance(milter, Milter):
            milter.close()


def fields(mail):
    """Names in order, and values by name."""
    head = mail.partition(b"\n\n")[0]
    unfolded = re.sub(rb"\n(?=[ \t])", b"", head)
    pairs = [line.split(b":", 1) for line in unfolded.split(b"\n")]
    return [n.decode() for n, _ in pairs], {n.decode(): v.strip().decode() for n, v in pairs}


# ---- nothing configured, nothing wanted ----

def test_without_milters_there_is_no_process(server):
    assert not any(name.startswith("milter") for name in server.children())


def test_one_that_wants_nothing_costs_no_copy(served):
    milter = Milter()
    one = served(milter)
    assert submit(one, "x" * 70 + "\r\n").startswith("250")
    [mail] = one.await_mails()
    assert mail.endswith(b"x" * 70 + b"\n")
    big = "0123456789abcde\r\n" * 20000
    assert submit(one, big).startswith("250")
    one.await_mails(2)
    spooled = sum(p.stat().st_size for p in (one.state / "spool").iterdir())
    # The zeros ahead are a mebibyte at most.
    assert spooled < len(big) + 1024 * 1024 + 64 * 1024
    assert milter.content().endswith(big.encode())


def test_what_it_is_shown(served):
    milter = Milter()
    one = served(milter)
    submit(one, "one\r\n.two\r\n", to=["b@example.net", "c@example.net"], headers="X-Folded: a\r\n\tb\r\n  c\r\n", options=["BODY=8BITMIME"])
    [seen] = milter.seen
    assert [c for c, _ in seen if c != b"L"] == [b"O", b"C", b"H", b"M", b"R", b"R", b"T", b"N", b"B", b"E"]
    assert milter.of(b"C") == [b"[127.0.0.1]\x004\0\x00127.0.0.1\0"]
    assert milter.of(b"H") == [b"c.example.org\0"]
    assert re.fullmatch(rb"<a@mail.example.org>\0SIZE=\d+\0BODY=8BITMIME\0", milter.of(b"M")[0])
    assert milter.of(b"R") == [b"<b@example.net>\0", b"<c@example.net>\0"]
    # Our own Received is not shown; folds are; the space behind the colon is not part of the value.
    names = [n for n, _ in milter.headers()]
    assert names[:3] == [b"From", b"Subject", b"X-Folded"] and set(names[3:]) == {b"Date", b"Message-ID"}
    assert dict(milter.headers())[b"X-Folded"] == b"a\n\tb\n  c"
    assert milter.content() == b"one\r\n.two\r\n"
    told = {k.decode(): v.decode() for k, v in milter.macros.items()}
    assert told["{auth_authen}"] == f"{one.login}/first" and told["{auth_type}"] == "PLAIN" and told["j"] == one.hostname
    assert told["{client_addr}"] == "127.0.0.1" and told["{tls_version}"] == "TLSv1.3" and told["{mail_addr}"] == FROM
    assert told["{rcpt_addr}"] == "c@example.net" and int(told["{cipher_bits}"]) in (128, 256)
    assert told["i"] == one.await_event("accepted")["id"]


def test_a_header_longer_than_what_is_read_of_it_at_once(served):
    """Nearly every octet is of a name, so that a name is where a reading ends."""
    milter = Milter(end=insert(1, b"X-Top", b"1"))
    one = served(milter)
    assert submit(one, "body\r\n" * 10000, headers="".join(f"X-{n:04d}{'n' * 200}:1\r\n" for n in range(1000))).startswith("250")
    assert sum(n.startswith(b"X-0") for n, _ in milter.headers()) == 1000
    assert milter.content() == b"body\r\n" * 10000
    [mail] = one.await_mails()
    assert mail.partition(b"\n\n")[2] == b"body\n" * 10000 and b"X-Top: 1\nFrom:" in mail and b"X-0999" in mail


def test_leading_space_and_wishes_for_macros(served):
    symbols = b"".join(n.to_bytes(4, "big") + w + b"\0" for n, w in ((0, b"j"), (2, b"{mail_addr},{auth_authen}"), (5, b"i, {nothing}")))
    milter = Milter(protocol=0x100000, symbols=symbols)
    one = served(milter)
    submit(one)
    assert dict(milter.headers())[b"Subject"] == b" s"
    assert set(milter.macros) - {b"{tls_version}", b"{cipher}", b"{cipher_bits}", b"{rcpt_addr}", b"{rcpt_host}", b"{rcpt_mailer}"} == \
        {b"j", b"{mail_addr}", b"{auth_authen}", b"i"}


def test_one_that_hears_little_and_answers_less(served):
    quiet = Milter(protocol=0x1 | 0x2 | 0x40 | 0x200 | 0x4000 | 0x8000 | 0x80 | 0x80000, end=add(b"X-Seen", b"1"))
    one = served(quiet)
    submit(one, "abc\r\n" * 30000)
    assert [c for c, _ in quiet.seen[0] if c not in b"LB"] == [b"O", b"M", b"R", b"E"]
    assert quiet.content() == b"abc\r\n" * 30000
    assert "X-Seen" in fields(one.await_mails()[0])[0]


def test_version_2_is_spoken_too(served):
    old = Milter(version=2, actions=0x3f, end=add(b"X-Old", b"1"))
    one = served(old)
    for helo in ("c.example.org", "c.example.org", "d.example.org"):
        assert submit(one, helo=helo).startswith("250")
    # It knows neither DATA nor "the next connection": each client has its own.
    assert ["".join(c.decode() for c, _ in seen if c != b"L") for seen in old.seen] == ["OCHMRNBEMRNBE", "OCHMRNBE"]
    assert "X-Old" in fields(one.await_mails(2)[0])[0]


# ---- refusals ----

REFUSALS = {
    "reject": (packet(b"r"), "550 5.7.1 refused by a content filter"),
    "tempfail": (packet(b"t"), "451 4.7.1 a content filter says: try again later"),
    "shutdown": (packet(b"4"), "451 4.7.1 a content filter says: try again later"),
    "code": (reply(b"554 5.6.9 100%% spam"), "554 5.6.9 100% spam"),
    "code-later": (reply(b"452 4.2.2 not now"), "452 4.2.2 not now"),
    "code-bare": (reply(b"550 no"), "550 5.7.1 no"),
    "code-other-class": (reply(b"550 4.7.1 no"), "550 5.7.1 4.7.1 no"),
    "code-421": (reply(b"421 4.7.0 go away"), "451 4.7.0 go away"),
    "lines": (reply(b"550-5.7.1 first\r\n550 5.7.1 second"), "550 5.7.1 first second"),
    "octets": (reply(b"550 5.7.1 a\x80\tb"), "550 5.7.1 a? b"),
}


@pytest.mark.parametrize("at", [b"M", b"E"])
def test_refusals_reach_the_client(served, at):
    answer = {}
    milter = Milter(answers={at: lambda data, seen: answer["now"]})
    one = served(milter)
    for name, (said, expected) in REFUSALS.items():
        answer["now"] = said
        assert submit(one) == expected, name
    answer["now"] = packet(b"c")
    assert submit(one).startswith("250")
    assert len(one.await_mails()) == 1
    assert len(one.events("milter-refused")) == len(REFUSALS) and not one.events("milter-failed")


def test_the_session_goes_on_after_a_refusal(served):
    milter = Milter(end=lambda seen: packet(b"r") if any(b"bad" in d for c, d in seen if c == b"L") else b"")
    one = served(milter)
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context()) as smtp:
        smtp.login(one.login, one.key)
        for subject in ("good", "bad", "good"):
            text = f"From: {FROM}\r\nSubject: {subject}\r\n\r\nx\r\n"
            if subject == "bad":
                with pytest.raises(smtplib.SMTPDataError) as refused:
                    smtp.sendmail(FROM, ["b@example.net"], text)
                assert refused.value.smtp_code == 550
            else:
                smtp.sendmail(FROM, ["b@example.net"], text)
    assert len(one.await_mails(2)) == 2


def test_accept_early_asks_no_more(served):
    first, second = Milter(answers={b"M": packet(b"a")}), Milter(end=add(b"X-Second", b"1"))
    one = served(first, second)
    for helo in ("c.example.org", "c.example.org", "d.example.org"):
        assert submit(one, helo=helo).startswith("250")
    # Asked at the recipient and at the end; called off; libmilter forgets a client only after a message that went on to its end.
    assert ["".join(c.decode() for c, _ in seen) for seen in first.seen] == ["OCHMAMAMAMA", "OCHMAMA"]
    assert "X-Second" in fields(one.await_mails(2)[1])[0]


# ---- changes ----

def test_header_changes(served):
    milter = Milter(end=insert(0, b"X-Top", b"0") + insert(2, b"X-Second", b"two\r\n\tlines") + add(b"X-Last", b"z")
                    + change(1, b"subject", b"other") + change(2, b"X-A", b"") + change(1, b"X-New", b"n") + change(1, b"Received", b""))
    one = served(milter)
    submit(one, headers="X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n")
    [mail] = one.await_mails()
    names, values = fields(mail)
    assert names[2:] == ["X-Top", "Received", "X-Second", "From", "subject", "X-A", "X-A", "Date", "Message-ID", "X-Last", "X-New"]
    assert values["subject"] == "other" and values["X-A"] == "3" and b"X-Second: two\n\tlines\n" in mail and b"X-A: 1\n" in mail
    assert mail.endswith(b"\n\nhello\n")


@pytest.mark.parametrize("size", [100, 200000])
def test_body_changes(served, size):
    fresh = b"new\nbody\r\n" + b"y" * 60 + b"\n" * 2 + b"z" * (size // 600) + b"\n" + b"\xe4" * 3
    long = b"".join(b"%07d\n" % n for n in range(size // 8))
    milter = Milter(end=body(long) + body(fresh) + add(b"X-B", b"1"))
    one = served(milter)
    assert submit(one, "old\r\n" * (size // 5)).startswith("250")
    [mail] = one.await_mails()
    assert mail.partition(b"\n\n")[2] == long + b"new\nbody\n" + b"y" * 60 + b"\n" * 2 + b"z" * (size // 600) + b"\n" + b"\xe4" * 3 + b"\n"
    assert "X-B" in fields(mail)[0]


def test_the_next_milter_sees_what_the_first_has_changed(served):
    first = Milter(end=body(b"".join(b"changed %07d\r\n" % n for n in range(20000))) + change(1, b"Subject", b"t")
                   + packet(b"e", b"<other@mail.example.org>\0") + packet(b"+", b"<d@example.net>\0") + packet(b"-", b"<b@example.net>\0"))
    second = Milter(end=add(b"X-Second", b"1"))
    one = served(first, second)
    submit(one, to=["b@example.net", "c@example.net"])
    # It had heard of the recipients as they were named; of all of it anew when they were others.
    assert [m.partition(b"\0")[0] for m in second.of(b"M")] == [b"<a@mail.example.org>", b"<other@mail.example.org>"]
    assert second.of(b"R")[2:] == [b"<c@example.net>\0", b"<d@example.net>\0"]
    assert dict(second.headers())[b"Subject"] == b"t" and second.content().count(b"changed") == 20000
    [mail] = one.await_mails()
    assert re.findall(rb"^Delivered-To: (.*)$", mail, re.M) == [b"c@example.net", b"d@example.net"]
    assert fields(mail)[1]["Return-Path"] == "<other@mail.example.org>"
    assert mail.count(b"changed") == 20000 and b"X-Second: 1" in mail


def test_recipients_come_once(served):                                  # 0296
    def rcpt(how, address):
        return packet(how, b"<%s>\0" % address)

    one = served(Milter(end=rcpt(b"+", b"b@EXAMPLE.net") + rcpt(b"+", b"d@example.net") + rcpt(b"+", b"d@example.net")
                        + rcpt(b"+", b"e@example.net") + rcpt(b"-", b"e@example.net") + rcpt(b"-", b"c@example.net")
                        + rcpt(b"+", b"c@example.net")))
    assert submit(one, to=["b@example.net", "c@example.net"]).startswith("250")
    [mail] = one.await_mails()
    assert re.findall(rb"^Delivered-To: (.*)$", mail, re.M) == [b"b@example.net", b"d@example.net", b"c@example.net"]


def test_quarantine(served):
    one = served(Milter(end=packet(b"q", b"looks like a bill\0")))
    assert submit(one).startswith("250")
    held = one.await_event("milter-quarantined")
    assert one.await_event("accepted")["held"] == "yes"
    shown = eventually(lambda: (lambda d: "looks like a bill" in d.stdout and d)(postern("queue", "show", *one.options, held["id"])), "why")
    assert f"{one.events('milter-quarantined')[0]['milter']}: looks like a bill" in shown.stdout
    assert one.mails() == []
    assert postern("queue", "release", *one.options, held["id"]).returncode == 0
    one.await_mails()


# ---- what is not believed ----

ILLEGAL = {
    "bare-lf-in-value": add(b"X-A", b"1\nBcc: x@example.net"),
    "bare-cr": add(b"X-A", b"1\rBcc: x@example.net"),
    "empty-line": add(b"X-A", b"1\r\n\r\nbody"),
    "blank-line": add(b"X-A", b"1\r\n \r\n x"),
    "name": add(b"X A", b"1"),
    "no-name": add(b"", b"1"),
    "colon": add(b"X-A:", b"1"),
    "long": add(b"X-A", b"x" * 1200),
    "eight-bit": add(b"X-A", b"\xc3\xa4"),
    "no-from": change(1, b"From", b""),
    "two-dates": add(b"Date", b"Sun, 22 Nov 2026 10:00:00 +0000"),
    "half": packet(b"h", b"X-A\x001"),
    "more": packet(b"h", b"X-A\x001\0more"),
    "insert-short": packet(b"i", b"\0\0"),
    "sender": packet(b"e", b"<a b@example.org>\0"),
    "sender-crlf": packet(b"e", b"<a@example.org>\r\nRCPT TO:<x@example.net>\0"),
    "rcpt": packet(b"+", b"<nobody>\0"),
    "rcpt-utf8": packet(b"+", "<ä@example.net>\0".encode()),
    "rcpt-flood": b"".join(packet(b"+", b"<r%d@example.net>\0" % n) for n in range(1001)),        # 0294
    "reason": packet(b"q", b"a\r\nb\0"),
    "body-nul": body(b"a\0b"),
    "body-cr": body(b"a\rb"),
    "body-cr-at-end": body(b"a\r"),
    "body-line": body(b"x" * 999),
    "header-flood": add(b"X-A", b"\n ".join([b"x" * 900] * 50)) * 2,
    "unknown": packet(b"z", b""),
    "empty": b"\0\0\0\0",
    "oversized": b"\x7f\xff\xff\xff" + b"b" * 100,
    "oversized-slightly": (128 * 1024 + 1).to_bytes(4, "big") + b"b",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "reply-code": reply(b"250 2.0.0 ok"),
    "reply-words": reply(b"hello"),
    "reply-mixed": reply(b"550-5.7.1 a\r\n551 5.7.1 b"),
    "options-again": packet(b"O", b"\0" * 12),
    "skip-the-end": packet(b"s"),
}


def test_what_is_illegal_counts_as_failed(served):
    """Each is refused as on-failure says, nothing of it is seen, and the next message is served."""
    say = {"now": b""}
    one = served(Milter(end=lambda seen: say["now"]))
    for name, said in ILLEGAL.items():
        say["now"] = said
        assert submit(one) == "451 4.7.1 a content filter does not answer, try again later", name
    say["now"] = b""
    assert submit(one).startswith("250")
    assert len(one.await_mails()) == 1
    failed = one.events("milter-failed")
    assert len(failed) == len(ILLEGAL) and all(e["then"] == "tempfail" and len(e["why"]) > 10 for e in failed)
    assert not one.events("milter-broken")


def test_a_field_that_is_too_long(served):
    """0311: no later try would go otherwise. The longest that the protocol can carry is shown."""
    to = "To: " + ",\r\n ".join(f"r{n:04}@d{n:04}.example.net" for n in range(3000)) + "\r\n"
    milter, lenient = Milter(), Milter()
    one = served(milter)
    assert submit(one, headers=to).startswith("554 5.6.0 a field of the header is too long")
    assert one.await_event("milter-failed")["then"] == "reject"
    fits = "X-Long: " + "\r\n ".join(["x" * 900] * 70) + "\r\n"
    assert submit(one, headers=fits).startswith("250")
    two = served(lenient, behind=" on-failure=accept")
    assert submit(two, headers=to).startswith("250")


def test_too_early_and_unannounced_changes(served):
    one = served(Milter(answers={b"M": add(b"X-A", b"1")}))
    assert submit(one).startswith("451")
    assert "not seen whole" in one.await_event("milter-failed")["why"]
    two = served(Milter(actions=0x1, end=packet(b"-", b"<b@example.net>\0")))
    assert submit(two).startswith("451")
    assert "not announced" in two.await_event("milter-failed")["why"]


def test_bad_options(served):
    say = {}
    one = served(Milter(answers={b"O": lambda data, seen: packet(b"O", say["now"])}))
    for options in (b"", b"\0" * 12, (7).to_bytes(4, "big") + b"\0" * 8, (6).to_bytes(4, "big") + b"\xff" * 8,
                    (6).to_bytes(4, "big") + b"\0" * 8 + b"\0\0\0\x02abc"):
        say["now"] = options
        assert submit(one).startswith("451 4.7.1"), options


# ---- one that fails ----

def dead_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SAID = {"tempfail": "451 4.7.1 a content filter does not answer, try again later", "reject": "550 5.7.1 a content filter does not answer",
        "accept": "250 2.0.0 "}
FAILURES = {
    "nobody-listens": (lambda: f"inet:127.0.0.1:{dead_port()}", ["tempfail"]),
    "no-such-path": (lambda: "unix:/nonexistent/socket", ["reject"]),
    "dies-in-the-middle": (lambda: Milter(answers={b"L": None}), ["accept"]),
    "dies-at-the-end": (lambda: Milter(answers={b"E": None}), ["tempfail", "reject", "accept"]),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_mean_what_is_configured(served, kind):
    milter, thens = FAILURES[kind]
    for then in thens:
        one = served(milter(), behind=f" on-failure={then}")
        assert submit(one).startswith(SAID[then]), then
        assert one.await_event("milter-failed")["then"] == then
        if then == "accept":
            one.await_mails()
        assert one.stop() == 0


def busy(milter, times, pause):
    """What a milter does that says so often that it is busy, and then goes on."""
    def end(data, seen):
        for _ in range(times):
            time.sleep(pause)
            milter["it"].open[-1].sendall(packet(b"p"))
        return packet(b"c")

    milter["it"] = Milter(answers={b"E": end})
    return milter["it"]


def test_those_that_take_their_time(served):
    """Time-outs, all beside each other: silence counts, being busy does not, milter-deadline holds for both."""
    cases = {
        "hangs": (Milter(answers={b"H": b""}), "timeout=1s on-failure=tempfail", "tempfail", "says nothing"),
        "hangs-at-options": (Milter(answers={b"O": b""}), "timeout=1s on-failure=reject", "reject", "says nothing"),
        "half-a-packet": (Milter(answers={b"E": add(b"X-A", b"1") + b"\0\0\0\5h"}), "timeout=1s on-failure=accept", "accept", "says nothing"),
        "half-a-body": (Milter(answers={b"E": body(b"evil\r\n" * 30000)}), "timeout=1s on-failure=accept", "accept", "says nothing"),
        "busy": (busy({}, 4, 0.5), "timeout=1s", "accept", None),
        "busy-for-ever": (busy({}, 100, 0.3), "timeout=2s", "tempfail", "milter-deadline"),
    }
    servers = {name: served(milter, behind=f" {options}", more='milter-deadline = "5 s"\n') for name, (milter, options, *_) in cases.items()}
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        begun = time.monotonic()
        said = {name: pool.submit(submit, one, "kept\r\n" * 20000) for name, one in servers.items()}
        said = {name: answer.result(60) for name, answer in said.items()}
        assert 4 < time.monotonic() - begun < 20
    for name, (_, _, then, why) in cases.items():
        assert said[name].startswith(SAID[then]), (name, said[name])
        assert why is None or why in servers[name].await_event("milter-failed")["why"]
        if then == "accept":
            [mail] = servers[name].await_mails()
            assert mail.count(b"kept") == 20000 and b"evil" not in mail and b"X-A" not in mail


def test_others_go_on_while_one_waits(served):
    def wait_for(data, seen):
        if any(b"slow" in d for c, d in seen if c == b"L"):
            gate.wait(20)
        return packet(b"c")

    gate = threading.Event()
    one = served(Milter(answers={b"E": wait_for}))
    said = []
    slow = threading.Thread(target=lambda: said.append(submit(one, subject="slow")), daemon=True)
    slow.start()
    eventually(lambda: one.events("authenticated"), "the slow one")
    for _ in range(5):
        assert submit(one).startswith("250")
    assert not said
    gate.set()
    slow.join(20)
    assert said and said[0].startswith("250")
    one.await_mails(6)


def test_a_front_that_dies_takes_its_draft_along(served):
    gate = threading.Event()
    milter = Milter(answers={b"E": lambda data, seen: (gate.wait(20), packet(b"c"))[1]})
    one = served(milter)
    lost = threading.Thread(target=lambda: pytest.raises((smtplib.SMTPException, OSError), submit, one), daemon=True)
    lost.start()
    eventually(lambda: milter.of(b"E"), "the end of the message")
    began = len(one.events("child-ready", child="front"))
    fronts = [pid for name, pid in one.children().items() if name.startswith("front")]
    for pid in fronts:
        os.kill(pid, signal.SIGKILL)
    lost.join(20)
    # Then 4_spool has heard of it: whose front dies a moment behind the milter's answer, his message is accepted.
    one.await_event("child-ready", began + len(fronts), child="front")
    gate.set()

    def accepted():
        with contextlib.suppress(smtplib.SMTPException, OSError):
            return submit(one).startswith("250")

    eventually(accepted, "another front")
    one.await_mails()
    time.sleep(0.2)
    assert len(one.mails()) == len(one.events("accepted")) == 1


# ---- connections ----

def test_connections_are_kept(served):
    milter = Milter()
    one = served(milter)
    for helo in ("c.example.org", "c.example.org", "d.example.org", "d.example.org"):
        assert submit(one, helo=helo).startswith("250")
    # One client after the other, and of each client one message after the other.
    assert ["".join(c.decode() for c, _ in seen if c != b"L") for seen in milter.seen] == ["OCHMRTNBEMRTNBEKCHMRTNBEMRTNBE"]


def test_one_that_has_accepted_a_client_is_asked_anew(served):
    milter = Milter(answers={b"C": packet(b"a")})
    one = served(milter)
    for _ in range(2):
        assert submit(one).startswith("250")
    # It hears of the end of the connection a moment after the client has its reply.
    eventually(lambda: ["".join(c.decode() for c, _ in seen) for seen in milter.seen] == 4 * ["OCAQ"], "four that were asked anew")


def test_a_kept_connection_that_has_died_is_no_failure(served):
    milter = Milter(answers={b"M": lambda data, seen: None if sum(c == b"M" for c, _ in seen) > 1 else packet(b"c")})
    one = served(milter)
    for _ in range(4):
        assert submit(one).startswith("250")
    assert not one.events("milter-failed") and len(milter.seen) > 1


def test_a_path(served, tmp_path):
    milter = Milter(path=tmp_path / "milter.sock", end=add(b"X-Path", b"1"))
    one = served(milter)
    assert submit(one).startswith("250")
    assert "X-Path" in fields(one.await_mails()[0])[0]


def test_many_at_once(served):
    def later(data, seen):
        time.sleep(0.05)
        return add(b"X-Many", b"1") + packet(b"c")

    milter = Milter(answers={b"E": later})
    one = served(milter)
    said = []
    threads = [threading.Thread(target=lambda: said.append(submit(one)), daemon=True) for _ in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert len(said) == 60 and all(s.startswith("250") for s in said)
    assert all(b"X-Many: 1" in m for m in one.await_mails(60))
    # It hears of a hang-up a little later than we of its place.
    assert milter.most <= 32 + 8


def test_a_path_with_a_short_queue(served, tmp_path):
    """libmilter lets twenty wait at most; at a path the next one is told so at once, which is no failure."""
    milter = Milter(path=tmp_path / "milter.sock", backlog=1, answers={"accept": 0.05})
    one = served(milter)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda n: submit(one, helo=f"c{n}.example.org"), range(20)))
    assert all(s.startswith("250") for s in said) and not one.events("milter-failed")


# ---- our own processes ----

def test_our_process_dies_in_the_middle(served):
    gate = threading.Event()
    milter = Milter(answers={b"E": lambda data, seen: (gate.wait(20), packet(b"c"))[1]})
    one = served(milter, behind=" on-failure=accept")
    said = []
    waiting = threading.Thread(target=lambda: said.append(submit(one)), daemon=True)
    waiting.start()
    eventually(lambda: milter.of(b"E"), "the end of the message")
    before = one.children()["milter:0"]
    os.kill(before, signal.SIGKILL)
    waiting.join(20)
    # What the milter would have said nobody knows: not even accept makes that a yes.
    assert said == ["451 4.7.1 no content filter answers just now, try again later"]
    gate.set()
    eventually(lambda: one.children().get("milter:0") not in (None, before), "another one")
    assert submit(one).startswith("250")
    assert len(one.await_mails()) == 1


def test_reload_adds_changes_and_removes_milters(make_server):
    one = make_server(config="").start()
    one.add_key()
    first, second = Milter(end=add(b"X-First", b"1")), Milter(end=add(b"X-Second", b"1"))

    def reload(text, there):
        count = len(one.events("certificate-proved"))
        one.write_config(text)
        one.hup()
        # Everybody has been told by then; "reloaded" is what the master has taken.
        one.await_event("certificate-proved", count + 1)
        time.sleep(0.2)
        eventually(lambda: ("milter:0" in one.children()) == there, "its process, or none")

    submit(one)
    reload(f'milter = {{ "{first.place}" }}\n', True)
    assert submit(one).startswith("250")
    old = one.children()["milter:0"]
    reload(f'milter = {{ "{second.place}" }}\n', True)
    eventually(lambda: one.children().get("milter:0") not in (None, old), "another process")
    assert submit(one).startswith("250")
    reload("", False)
    assert submit(one).startswith("250")
    mails = one.await_mails(4)
    assert [("X-First" in fields(m)[0], "X-Second" in fields(m)[0]) for m in mails] == \
        [(False, False), (True, False), (False, True), (False, False)]
    assert one.stop() == 0


def test_check_names_what_is_wrong(tmp_path):
    for text, words in (("inet:localhost:1", "a name will not do"), ("inet:127.0.0.1", "inet:ADDRESS:PORT"), ("/run/x", "begins neither"),
                        ("unix:run/x", "does not begin with /"), ("inet:127.0.0.1:1 timeout=0s", "1s to 300s"),
                        ("inet:127.0.0.1:1 timeout=9", "no unit"), ("inet:127.0.0.1:1 on-failure=maybe", "neither tempfail"),
                        ("inet:127.0.0.1:1 fast", "none of timeout"),
                        ("inet:127.0.0.1:1 connections=0", "1 to 512"), ("inet:127.0.0.1:1 connections=513", "1 to 512"), ("unix:/" + "x" * 120, "107")):
        done = postern("check", "--state", tmp_path / "state", "--set", f"milter={text}")
        assert done.returncode == 78 and words in done.stderr, (text, done.stderr)
    done = postern("check", "--state", tmp_path / "state", "--set", "milter=inet:[::1]:8891 timeout=5s on-failure=reject", "--explain")
    assert done.returncode == 0 and 'inet:[::1]:8891 timeout=5s on-failure=reject connections=32' in done.stdout


# ---- on the disk ----

def test_a_change_outlives_restarts(served):
    """A new header before an old body, and an old header before a new body, each in the log in pieces; held, so that they stay."""
    say = {}
    milter = Milter(end=lambda seen: say["now"] + packet(b"q", b"wait\0"))
    one = served(milter)
    old, fresh = "old %06d\r\n", b"".join(b"new %06d\r\n" % n for n in range(20000))
    say["now"] = insert(0, b"X-Big", b"1")
    assert submit(one, "".join(old % n for n in range(20000)), subject="header").startswith("250")
    say["now"] = body(fresh)
    assert submit(one, "".join(old % n for n in range(20000)), subject="body").startswith("250")
    say["now"] = body(fresh) + insert(0, b"X-Big", b"1")
    assert submit(one, "short\r\n", subject="both").startswith("250")
    for kind in (15, 9):
        assert one.stop(kind) == (0 if kind == 15 else -9)
        one.start()
    for event in one.events("accepted"):
        assert postern("queue", "release", *one.options, event["id"]).returncode == 0
    mails = {fields(m)[1]["Subject"]: m for m in one.await_mails(3)}
    bodies = {name: m.partition(b"\n\n")[2] for name, m in mails.items()}
    assert bodies["header"] == "".join(old % n for n in range(20000)).replace("\r", "").encode()
    assert bodies["body"] == bodies["both"] == fresh.replace(b"\r", b"")
    assert {name for name, m in mails.items() if b"X-Big: 1\n" in m} == {"header", "both"}


def test_a_big_message_does_not_cost_its_size_in_memory(served):
    def most(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    milter = Milter(protocol=0x80000, end=insert(0, b"X-Big", b"1"))
    one = served(milter)
    assert submit(one).startswith("250")
    before = {name: most(pid) for name, pid in one.children().items()}
    assert submit(one, ("x" * 998 + "\r\n") * (40 * 1024)).startswith("250")
    grown = {name: most(pid) - before[name] for name, pid in one.children().items()}
    assert grown["milter:0"] < 4096, grown
    written = sum(p.stat().st_size for p in (one.state / "spool").iterdir())
    assert 40 << 20 < written < 43 << 20
    eventually(lambda: len(one.mails()) == 2, "both")
