"""What a milter throws away is acknowledged, goes nowhere, and `postern queue where` knows of it."""
import json
import re
import time

import pytest

from conftest import eventually, postern
from milters import Milter, packet
from test_milter import FROM, fields, served, submit  # noqa: F401

TAKEN_AWAY = packet(b"-", b"<b@EXAMPLE.net>\0")


def where(one, what):
    done = postern("queue", "where", what, "--json", *one.options)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["gaps"] == []
    return answer["messages"]


def ident_of(said):
    return re.search(r"\b[0-9a-z]{12}\b", said).group(0)


@pytest.mark.parametrize("end, why", [(packet(b"d"), ""), (TAKEN_AWAY, ": it has taken away the last recipient")], ids=["discard", "nobody"])
def test_it_is_in_the_history(served, end, why):
    milter = Milter(end=end)
    one = served(milter)
    said = submit(one, headers="Message-ID: <gone@example.org>\r\n", text="x" * 70 + "\r\n")
    assert said.startswith("250")
    one.await_event("milter-discarded")
    message, = where(one, "gone@example.org")
    assert message["id"] == ident_of(said) and message["login"] == f"{one.login}/first" and message["from"] == FROM
    assert [(t["to"], t["state"], t["attempts"]) for t in message["to"]] == [("b@example.net", "discarded", [])]
    event, = message["events"]
    assert (event["event"], event["why"]) == ("discarded", milter.place + why) and message["size"] > 70
    words = postern("queue", "where", ident_of(said), *one.options).stdout
    assert f"discarded by a content filter: {milter.place}{why}" in words and "to <b@example.net>: discarded by a content filter" in words
    # It went nowhere, and nothing is left of it but this.
    assert one.mails() == [] and not one.events("accepted") and json.loads(postern("queue", "list", "--json", *one.options).stdout) == []
    for kind in (15, 9):
        one.stop(kind)
        one.start()
        assert where(one, "b@example.net")[0]["to"][0]["state"] == "discarded"
        assert json.loads(postern("queue", "list", "--json", *one.options).stdout) == []
    time.sleep(0.3)
    assert one.mails() == []


def test_a_big_one_and_a_full_stop_behind_it(served):
    """Its content lies in the log in pieces; the next message is not thrown away."""
    milter = Milter(end=lambda seen: packet(b"d") if any(b"away" in d for c, d in seen if c == b"L") else b"")
    one = served(milter)
    assert submit(one, "0123456789\r\n" * 20000, subject="away").startswith("250")
    assert submit(one, "kept\r\n").startswith("250")
    [mail] = one.await_mails()
    assert b"kept" in mail and "X" not in fields(mail)[0]
    eventually(lambda: sorted(m["to"][0]["state"] for m in where(one, "b@example.net")) == ["delivered", "discarded"], "both ends")
    one.stop(9)
    one.start()
    assert sorted(m["to"][0]["state"] for m in where(one, "b@example.net")) == ["delivered", "discarded"]


def test_the_same_again_is_the_same(served):
    milter = Milter(end=packet(b"d"))
    one = served(milter, more='duplicate-window = "10 min"\n')
    first = submit(one, headers="Message-ID: <again@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n")
    again = submit(one, headers="Message-ID: <again@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n")
    assert ident_of(first) == ident_of(again) and len(where(one, "again@example.org")) == 1


def test_without_a_history_it_leaves_no_octet(served):
    one = served(Milter(end=packet(b"d")), more="history = no\n")
    before = sum(p.read_bytes().count(b"spare words") for p in (one.state / "spool").glob("*.log"))
    assert submit(one, "spare words\r\n").startswith("250")
    one.await_event("milter-discarded")
    time.sleep(0.2)
    assert before == sum(p.read_bytes().count(b"spare words") for p in (one.state / "spool").glob("*.log")) == 0
    assert one.mails() == [] and not one.events("accepted")
