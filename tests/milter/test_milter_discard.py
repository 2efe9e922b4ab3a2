"""What a milter throws away is acknowledged, goes nowhere, and `postern queue where` knows of it."""
import json
import re
import time

from postern_server import eventually, postern
from milters import Milter, packet
from test_milter import FROM, served, submit  # noqa: F401

SAME = "Message-ID: <gone@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"


def asked(one, *words):
    done = postern("queue", *words, "--json", *one.options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def where(one, what):
    answer = asked(one, "where", what)
    assert answer["gaps"] == []
    return answer["messages"]


def ident_of(said):
    return re.search(r"\b[0-9a-z]{12}\b", said).group(0)


def verdict(seen):
    """By the subject: away with it, away with its last recipient, or nothing."""
    subject = next(d for c, d in seen[::-1] if c == b"L" and d.startswith(b"Subject"))
    return packet(b"d") if b"away" in subject else packet(b"-", b"<b@EXAMPLE.net>\0") if b"nobody" in subject else b""


def test_it_is_in_the_history(served):
    milter = Milter(end=verdict)
    one = served(milter, more='duplicate-window = "10 min"\n')
    said = submit(one, headers=SAME, text="x" * 70 + "\r\n", subject="away")
    assert said.startswith("250")
    one.await_event("milter-discarded")
    message, = where(one, "gone@example.org")
    assert message["id"] == ident_of(said) and message["login"] == f"{one.login}/first" and message["from"] == FROM
    assert [(t["to"], t["state"], t["attempts"]) for t in message["to"]] == [("b@example.net", "discarded", [])]
    event, = message["events"]
    assert (event["event"], event["why"]) == ("discarded", milter.place) and message["size"] > 70
    words = postern("queue", "where", ident_of(said), *one.options).stdout
    assert f"discarded by a content filter: {milter.place}" in words and "to <b@example.net>: discarded by a content filter" in words
    # The same again is the same; a big one lies in the log in pieces; one that nobody is left of is named, too.
    assert ident_of(submit(one, headers=SAME, text="x" * 70 + "\r\n", subject="away")) == ident_of(said)
    assert submit(one, "0123456789\r\n" * 20000, subject="away").startswith("250")
    nobody = ident_of(submit(one, subject="nobody"))
    message, = where(one, nobody)
    assert message["events"][0]["why"] == f"{milter.place}: it has taken away the last recipient"
    assert [t["to"] for t in message["to"]] == ["b@example.net"]
    assert one.mails() == [] and not one.events("accepted") and asked(one, "list") == []
    assert submit(one, "kept\r\n").startswith("250")
    [mail] = one.await_mails()
    assert b"kept" in mail
    states = ["delivered"] + 3 * ["discarded"]
    eventually(lambda: sorted(m["to"][0]["state"] for m in where(one, "b@example.net")) == states, "all ends")
    one.stop(9)
    one.start()
    assert sorted(m["to"][0]["state"] for m in where(one, "b@example.net")) == states
    assert asked(one, "list") == [] and len(one.mails()) == 1


def test_without_a_history_it_leaves_no_octet(served):
    one = served(Milter(end=packet(b"d")), more="history = no\n")
    assert submit(one, "spare words\r\n").startswith("250")
    one.await_event("milter-discarded")
    time.sleep(0.2)
    assert not any(b"spare words" in p.read_bytes() for p in (one.state / "spool").glob("*.log"))
    assert one.mails() == [] and not one.events("accepted")
