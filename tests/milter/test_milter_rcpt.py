"""A milter that refuses a recipient refuses him alone: he is asked about when he is named."""
import contextlib
import os
import re
import signal
import smtplib
import socket
import threading
import time

import pytest

from postern_server import eventually
from milters import Milter, add, packet, reply
from test_milter import FROM, fields, served, submit  # noqa: F401

TEXT = f"From: {FROM}\r\nSubject: s\r\n\r\nhello\r\n".encode()


@contextlib.contextmanager
def session(one, helo="c.example.org"):
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=60, context=one.context(), local_hostname=helo) as smtp:
        smtp.login(one.login, one.key)
        yield smtp


def rcpt(smtp, to):
    code, said = smtp.rcpt(to)
    return f"{code} {said.decode()}"


def talks(milter):
    return ["".join(c.decode() for c, _ in seen if c != b"L") for seen in milter.seen]


def refusing(*names, **more):
    """Refuses those whose address has one of the names in it."""
    return Milter(answers={b"R": lambda data, seen: reply(b"550 5.1.1 unknown") if any(n in data for n in names) else packet(b"c")}, **more)


def delivered_to(mail):
    return re.findall(rb"^Delivered-To: (.*)$", mail, re.M)


REFUSALS = {
    "reject": (packet(b"r"), "550 5.7.1 refused by a content filter"),
    "tempfail": (packet(b"t"), "451 4.7.1 a content filter says: try again later"),
    "code": (reply(b"554 5.6.9 100%% no"), "554 5.6.9 100% no"),
    "code-later": (reply(b"450 4.2.0 greylisted"), "450 4.2.0 greylisted"),
    "code-421": (reply(b"421 4.7.0 go away"), "451 4.7.0 go away"),
}


def test_he_alone_is_refused(served):
    answer = {}
    milter = Milter(answers={b"R": lambda data, seen: answer["now"] if b"bad" in data else packet(b"c")}, end=add(b"X-Seen", b"1"))
    one = served(milter)
    with session(one) as smtp:
        for name, (said, expected) in REFUSALS.items():
            answer["now"] = said
            smtp.mail(FROM)
            assert rcpt(smtp, "bad@example.net") == expected, name
            assert rcpt(smtp, "b@example.net").startswith("250")
            assert rcpt(smtp, "bad@example.net") == expected, name
            assert rcpt(smtp, "c@example.net").startswith("250")
            assert smtp.data(TEXT)[0] == 250
        # Nobody is left: there is no message.
        smtp.mail(FROM)
        assert rcpt(smtp, "bad@example.net").startswith("451")
        assert smtp.docmd("DATA")[0] in (503, 554)
        smtp.rset()
    mails = one.await_mails(len(REFUSALS))
    assert all(delivered_to(m) == [b"b@example.net", b"c@example.net"] and "X-Seen" in fields(m)[0] for m in mails)
    # With several recipients nobody's name stands there (RFC 5321 7.2).
    assert all(b"bad@" not in m for m in mails)
    assert not one.events("milter-failed")
    refused = one.events("milter-refused")
    assert len(refused) == 2 * len(REFUSALS) + 1 and {e["to"] for e in refused} == {"bad@example.net"}


def test_the_milter_hears_one_talk(served):
    """In the order of its protocol, each stage once; what another client does meanwhile is another connection's."""
    milter = refusing(b"nobody")
    one = served(milter)
    with session(one) as smtp, session(one, "d.example.org") as other:
        for n in range(2):
            smtp.mail(FROM, ["SIZE=200"])
            assert rcpt(smtp, "b@example.net").startswith("250")
            other.mail(FROM)
            assert rcpt(other, "x@example.net").startswith("250")
            assert rcpt(smtp, "nobody@example.net") == "550 5.1.1 unknown"
            assert rcpt(smtp, "c@example.net").startswith("250")
            assert smtp.data(TEXT)[0] == 250
            assert other.data(TEXT)[0] == 250
    first = next(seen for seen in milter.seen if (b"H", b"c.example.org\0") in seen)
    assert ("".join(c.decode() for c, _ in first if c != b"L")).startswith("OCHMRRRTNBE")
    assert (b"M", b"<" + FROM.encode() + b">\0SIZE=200\0") in first
    assert sum(len(re.findall("E", t)) for t in talks(milter)) == 4
    mails = one.await_mails(4)
    # The first recipient stands in Received, whoever was served in between.
    assert sum(b"for <x@example.net>" in m for m in mails) == 2


def test_in_one_flight(served):
    """PIPELINING: the replies come in order, and the refused one does not stop the rest."""
    milter = refusing(b"nobody")
    one = served(milter)
    with session(one) as smtp:
        smtp.send(f"MAIL FROM:<{FROM}>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<nobody@example.net>\r\n"
                  "RCPT TO:<c@example.net>\r\nDATA\r\n")
        assert [smtp.getreply()[0] for _ in range(5)] == [250, 250, 550, 250, 354]
        smtp.send(TEXT + b".\r\n")
        assert smtp.getreply()[0] == 250
    [mail] = one.await_mails()
    assert delivered_to(mail) == [b"b@example.net", b"c@example.net"]


def test_the_second_milter_refuses_whom_the_first_has_accepted(served):
    """The first is told anew at the end, without him."""
    first, second = Milter(end=add(b"X-First", b"1")), refusing(b"nobody", end=add(b"X-Second", b"1"))
    one = served(first, second)
    with session(one) as smtp:
        smtp.mail(FROM)
        assert rcpt(smtp, "b@example.net").startswith("250")
        assert rcpt(smtp, "nobody@example.net") == "550 5.1.1 unknown"
        assert smtp.data(TEXT)[0] == 250
    [mail] = one.await_mails()
    assert delivered_to(mail) == [b"b@example.net"] and {"X-First", "X-Second"} <= set(fields(mail)[0])
    assert [data for seen in first.seen for c, data in seen if c == b"R"][-1:] == [b"<b@example.net>\0"]
    assert talks(second) == ["OCHMRRTNBE"]
    last = first.seen[-1]
    assert [c for c, _ in last].count(b"R") == 1 and (b"E", b"") in last


def test_whoever_refuses_the_sender_or_the_client_refuses_each_recipient(served):
    at = {}
    answers = {c: lambda data, seen: reply(b"550 5.7.1 not you") if at["now"] == seen[-1][0] else packet(b"c") for c in (b"C", b"H", b"M")}
    one = served(Milter(answers=answers))
    for number, at["now"] in enumerate((b"C", b"H", b"M")):
        with session(one, f"c{number}.example.org") as smtp:
            assert smtp.mail(FROM)[0] == 250
            assert rcpt(smtp, "b@example.net") == rcpt(smtp, "c@example.net") == "550 5.7.1 not you"


@pytest.mark.parametrize("protocol, heard", [(0x8000, "OCHMRRTNBE"), (0x8 | 0x8000 | 0x4000 | 0x1000 | 0x2000, "OCHMTNBE")])
def test_one_that_does_not_answer_recipients_or_wants_none(served, protocol, heard):
    milter = Milter(protocol=protocol, end=add(b"X-Seen", b"1"))
    one = served(milter)
    assert submit(one, to=["b@example.net", "c@example.net"]).startswith("250")
    assert "X-Seen" in fields(one.await_mails()[0])[0] and talks(milter) == [heard]


def test_skip_and_discard_at_a_recipient(served):
    milter = Milter(protocol=0x400, answers={b"R": lambda data, seen: packet(b"d") if b"away" in data else packet(b"s")}, end=add(b"X-Seen", b"1"))
    one = served(milter)
    assert submit(one, to=["b@example.net", "c@example.net"]).startswith("250")
    assert "X-Seen" in fields(one.await_mails()[0])[0] and talks(milter) == ["OCHMRTNBE"]
    assert submit(one, to=["away@example.net", "c@example.net"], helo="d.example.org").startswith("250")
    one.await_event("milter-discarded")
    time.sleep(0.2)
    assert len(one.mails()) == 1


def test_one_that_hangs_or_dies_answers_as_configured(served):
    """Three milters, each with an answer of its own; which one fails, and how, stands in the recipient's name."""
    gate = threading.Event()

    def failing(name):
        def answer(data, seen):
            if name + b"-hangs" in data:
                gate.wait(20)
            return None if name + b"-dies" in data else packet(b"c")
        return Milter(answers={b"R": answer}, end=add(b"X-" + name, b"1"))

    said = {"tempfail": "451 4.7.1 a content filter does not answer, try again later", "reject": "550 5.7.1 a content filter does not answer",
            "accept": "250 2.1.5"}
    milters = {then: failing(then.encode()) for then in said}
    one = served(*(f"{m.place} timeout=1s on-failure={then}" for then, m in milters.items()))
    with session(one) as smtp:
        smtp.mail(FROM)
        assert rcpt(smtp, "b@example.net").startswith("250")
        for then, expected in said.items():
            for how in "dies", "hangs":
                assert rcpt(smtp, f"{then}-{how}@example.net").startswith(expected), (then, how)
        assert rcpt(smtp, "c@example.net").startswith("250")
        assert len(one.events("milter-failed")) == 6
        gate.set()
        milters["accept"].answers.clear()
        assert smtp.data(TEXT)[0] == 250
    [mail] = one.await_mails()
    assert delivered_to(mail) == [b"b@example.net", b"accept-dies@example.net", b"accept-hangs@example.net", b"c@example.net"]
    assert {"X-tempfail", "X-reject", "X-accept"} <= set(fields(mail)[0])
    for milter in milters.values():
        milter.close()


def test_our_process_dies_between_recipients(served):
    """The next one knows nothing of the talk: all of it is told at the end."""
    milter = refusing(b"nobody", end=add(b"X-Seen", b"1"))
    one = served(milter)
    with session(one) as smtp:
        smtp.mail(FROM)
        assert rcpt(smtp, "b@example.net").startswith("250")
        before = one.children()["milter:0"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: one.children().get("milter:0") not in (None, before), "another one")
        assert rcpt(smtp, "nobody@example.net") == "550 5.1.1 unknown"
        assert rcpt(smtp, "c@example.net").startswith("250")
        assert smtp.data(TEXT)[0] == 250
    [mail] = one.await_mails()
    assert delivered_to(mail) == [b"b@example.net", b"c@example.net"] and "X-Seen" in fields(mail)[0]
    assert [data for c, data in milter.seen[-1] if c == b"R"] == [b"<b@example.net>\0", b"<c@example.net>\0"]


def test_more_clients_think_than_there_are_connections(served):
    """Each holds one while it decides whom else to name; who is slow loses his, and his message is told from the beginning: to each milter,
    with all its recipients, and no verdict is lost."""
    first, second = refusing(b"nobody", end=add(b"X-First", b"1")), refusing(b"nowhere", end=add(b"X-Second", b"1"))
    one = served(first, second, behind=" connections=2")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(session(one)) for _ in range(5)]
        for smtp in clients:
            smtp.mail(FROM)
        for to, said in (("b", "250"), ("nobody", "550 5.1.1 unknown"), ("c", "250"), ("nowhere", "550 5.1.1 unknown")):
            assert all(rcpt(smtp, f"{to}@example.net").startswith(said) for smtp in clients)
            eventually(lambda: max(first.talking, second.talking) == 2, "two connections to each")
        assert all(smtp.data(TEXT)[0] == 250 for smtp in clients)
    for mail in one.await_mails(5):
        assert {"X-First", "X-Second"} <= set(fields(mail)[0]) and delivered_to(mail) == [b"b@example.net", b"c@example.net"]
    for milter in (first, second):
        whole = [part.partition("E")[0] for talk in talks(milter) for part in talk.split("M") if "E" in part]
        # Where the connection was kept, he who was refused is in it, too.
        assert len(whole) == 5 and set(whole) <= {"RRTNB", "RRRTNB"}, whole
    assert not one.events("milter-failed")


def test_a_transaction_that_is_given_up_keeps_no_connection(served):
    milter = Milter()
    one = served(milter)
    with session(one) as smtp:
        smtp.mail(FROM)
        assert rcpt(smtp, "b@example.net").startswith("250")
        smtp.rset()
        eventually(lambda: any(not alive(s) for s in milter.open), "it hangs up")
        smtp.mail(FROM)
        assert rcpt(smtp, "b@example.net").startswith("250") and smtp.data(TEXT)[0] == 250
    assert "X" not in fields(one.await_mails()[0])[0]


def alive(connection):
    try:
        return connection.fileno() != -1 and connection.getpeername() is not None
    except (OSError, socket.error):
        return False
