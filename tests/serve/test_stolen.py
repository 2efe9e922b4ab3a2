"""A stolen sender key gets at most 100 recipients out; its owner goes on. docs/guard.md"""
import base64
import json
import smtplib

import pytest
from postern_server import eventually, postern

HOME, THIEF = "127.0.1.7", "127.9.0.9"
TEXT = "From: alice@example.org\r\nTo: undisclosed:;\r\nSubject: {}\r\n\r\nhello\r\n"


def greet(one, source):
    context = one.context()
    context.check_hostname = False      # smtplib asks for the address that it connects to
    client = smtplib.SMTP_SSL(one.host, one.submissions, context=context, source_address=(source, 0), timeout=30,
                              local_hostname="laptop.example")
    client.ehlo()
    return client


def connect(one, source):
    client = greet(one, source)
    client.login("alice/laptop", one.key)
    return client


def refused(one, source):
    """The code of AUTH itself: smtplib would try another mechanism after a refusal, and tell of that."""
    plain = base64.b64encode(f"\0alice/laptop\0{one.key}".encode()).decode()
    return greet(one, source).docmd("AUTH", f"PLAIN {plain}")[0]


def send(client, rcpts, subject="hi"):
    """The code of the reply to the final dot, or to MAIL when that is refused."""
    code = client.mail("alice@example.org")[0]
    if code != 250:
        return code
    for i in range(rcpts):
        assert client.rcpt(f"u{i}@example.net")[0] == 250
    return client.data(TEXT.format(subject).replace("\r\n", "\n"))[0]


@pytest.fixture
def one(make_server):
    server = make_server(config="fronts = 1\n")
    server.add_key("alice", "alice@example.org", "laptop")
    done = postern("user", "set", *server.options, "alice", "--recovery", "owner@example.net")
    assert done.returncode == 0, done.stderr
    server.start()
    yield server
    assert server.stop() == 0


def unlock(one, *more):
    done = postern("user", "unlock", *one.options, "alice/laptop", *more)
    assert done.returncode == 0, done.stderr


def held(one):
    done = postern("queue", "list", *one.options, "--held", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def delivered(one, subject):
    return sum(1 for m in one.mails() if f"Subject: {subject}".encode() in m)


def test_a_thief_is_held(one):
    unlock(one, "--network", HOME)
    owner, thief = connect(one, HOME), connect(one, THIEF)
    assert send(owner, 3, "before") == 250
    codes = [send(thief, 20, "spam") for _ in range(10)]
    assert set(codes) == {250}, "a thief is told nothing"
    event = one.await_event("held", login="alice/laptop", patience=60)
    assert event["reason"].startswith("100 recipients") or "recipients in 1 minute from a network" in event["reason"]
    assert "127.9.0.0/24" in event["reason"]
    # The owner is told, and goes on as if nothing were.
    assert send(owner, 30, "after") == 250
    eventually(lambda: delivered(one, "after") == 1, "the owner's mail")
    eventually(lambda: [m for m in one.mails() if b"owner@example.net" in m and b"alice/laptop" in m], "the notice", 60)
    assert 1 <= delivered(one, "spam") <= 5
    assert len(held(one)) == 10 - delivered(one, "spam")
    locks = json.loads(postern("user", "locks", *one.options, "--json").stdout)
    assert [(x["login"], x["step"]) for x in locks] == [("alice/laptop", "held")]
    assert locks[0]["reason"] == event["reason"]


def test_who_goes_on_is_locked_and_stays_so(one):
    unlock(one, "--network", HOME)
    thief = connect(one, THIEF)
    codes = [send(thief, 100, "spam") for _ in range(5)]
    assert codes[0] == 250 and codes[-1] == 550
    one.await_event("locked", login="alice/laptop")
    assert thief.mail("alice@example.org")[0] == 550
    thief.close()
    one.stop()
    one.start()
    assert refused(one, THIEF) == 535
    assert send(connect(one, HOME), 2, "mine") == 250
    unlock(one)
    assert send(connect(one, THIEF), 1, "free again") == 250
    assert "nobody" in postern("user", "locks", *one.options).stdout


def test_a_newsletter_goes_through(one):
    unlock(one, "--network", HOME)
    club = connect(one, HOME)
    assert [send(club, 100, "news") for _ in range(3)] == [250] * 3
    eventually(lambda: delivered(one, "news") == 3, "the newsletter")
    assert held(one) == [] and one.events("slowed") == []


def test_unlock_of_nobody(one):
    done = postern("user", "unlock", *one.options, "bob")
    assert done.returncode == 65 and "no such login" in done.stderr
    done = postern("user", "unlock", *one.options, "alice/laptop", "--network", "home")
    assert done.returncode == 65 and "not a network" in done.stderr


def test_not_watched(make_server):
    server = make_server(config='habit-watch = "no"\n')
    server.add_key("alice", "alice@example.org", "laptop")
    server.start()
    thief = connect(server, THIEF)
    assert [send(thief, 100) for _ in range(3)] == [250] * 3
    assert server.events("held") == []
    thief.close()
    assert server.stop() == 0
