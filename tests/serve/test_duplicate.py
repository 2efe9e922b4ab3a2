"""A client that did not hear the 250 sends the message again: it is queued once. docs/spool.md, Submitted twice"""
import os
import signal
import smtplib
import time

import pytest
from postern_server import eventually, postern

TEXT = ("From: alice@example.org\r\nTo: x@example.net\r\nBcc: {bcc}\r\nMessage-ID: <{number}@laptop.example>\r\n"
        "Subject: once\r\n\r\n{words}\r\n.dot\r\n")

LONG = "0123456789abcdef" * 60 + "\r\n"
LONG *= 300


def connect(one, login="alice/laptop", key=None):
    context = one.context()
    context.check_hostname = False      # smtplib asks for the address that it connects to
    client = smtplib.SMTP_SSL(one.host, one.submissions, context=context, timeout=30, local_hostname="laptop.example")
    client.ehlo()
    client.login(login, key or one.key)
    return client


def reply(client, number=1, rcpts=("x@example.net",), words="hello", text=TEXT, options=(), bcc="secret@example.net"):
    """Code and words of the reply to the final dot."""
    assert client.mail("alice@example.org", options)[0] == 250
    for rcpt in rcpts:
        assert client.rcpt(rcpt)[0] == 250
    return client.data(text.format(number=number, words=words, bcc=bcc).replace("\r\n", "\n"))


def chunks(client, number=1, sizes=(7, 1, 30)):
    """The same by BDAT, cut anywhere."""
    rest = TEXT.format(number=number, words="hello", bcc="secret@example.net").encode()
    assert client.mail("alice@example.org")[0] == 250
    assert client.rcpt("x@example.net")[0] == 250
    for size in sizes:
        client.send(b"BDAT %d\r\n" % size + rest[:size])
        rest = rest[size:]
        assert client.getreply()[0] == 250
    client.send(b"BDAT %d LAST\r\n" % len(rest) + rest)
    return client.getreply()


@pytest.fixture
def one(make_server):
    server = make_server(config="fronts = 2\n")
    server.add_key("alice", "alice@example.org", "laptop")
    server.start()
    yield server
    assert server.stop() == 0


def test_the_same_again(one):
    first, second = connect(one), connect(one)
    said = reply(first)
    assert said[0] == 250
    assert reply(first) == said, "the first one's 250 and queue id"
    assert reply(second, rcpts=("x@example.net",)) == said, "another connection"
    assert chunks(second) == said, "BDAT brings the same content"
    assert one.await_event("duplicate", count=3)["count"] == "3"
    assert one.events("duplicate")[0]["login"] == "alice/laptop"
    assert said[1].decode().split()[-1] == one.events("accepted")[0]["id"] == one.events("duplicate")[0]["id"]
    # The order of recipients is no difference, their number is.
    pair = reply(first, 2, ("x@example.net", "y@example.net"))
    assert reply(second, 2, ("y@example.net", "x@example.net")) == pair
    assert reply(second, 2, ("x@example.net",)) != pair
    one.await_mails(3)
    time.sleep(0.3)
    assert len(one.events("accepted")) == 3
    assert len(one.mails()) == 3


def test_not_the_same(one):
    """Each of these differs in one thing; what has no Message-ID of its own is never a repetition."""
    client = connect(one)
    done = postern("user", "key", *one.options, "alice", "phone")
    assert done.returncode == 0, done.stderr
    bare = TEXT.replace("Message-ID: <{number}@laptop.example>\r\n", "")
    replies = [reply(client), reply(client, 2), reply(client, words="hallo"), reply(client, bcc="other@example.net"),
               reply(client, rcpts=("y@example.net",)), reply(client, options=("RET=HDRS",)), reply(client, options=("ENVID=7",)),
               reply(client, text=bare), reply(client, text=bare)]
    key = done.stdout.split()
    phone = next(word for word in key if word.count("-") == 6)
    eventually(lambda: login_works(one, phone), "the new key")
    replies.append(reply(connect(one, "alice/phone", phone)))
    assert {code for code, _ in replies} == {250}
    assert len(set(replies)) == len(replies)
    assert not one.events("duplicate")
    client.quit()


def login_works(one, key):
    try:
        connect(one, "alice/phone", key).quit()
    except smtplib.SMTPAuthenticationError:
        return False
    return True


def test_killed_between(one):
    """The spool dies after the first was delivered and done with; what was acknowledged is known all the same."""
    said, held = reply(connect(one)), reply(connect(one), 2, words=LONG)
    one.await_mails(2)
    for again in range(2):
        os.kill(one.children()["spool:0"], signal.SIGKILL)
        one.await_event("spool-open", count=again + 2)
        eventually(lambda: one.children().get("spool:0"), "a new spool")
        eventually(lambda: ready_to_take(one), "a spool that takes mail")
        assert reply(connect(one)) == said
        assert reply(connect(one), 2, words=LONG) == held
    time.sleep(0.3)
    assert len(one.mails()) == 2


def ready_to_take(one):
    try:
        client = connect(one)
        code = client.mail("alice@example.org")[0]
        client.quit()
    except (OSError, smtplib.SMTPException):
        return False
    return code == 250


def test_switched_off(one):
    one.write_config("fronts = 2\nduplicate-window = 0\n")
    one.hup()
    one.await_event("reloaded")
    client = connect(one)
    assert reply(client) != reply(client)
    one.write_config("fronts = 2\nduplicate-window = \"1 s\"\n")
    one.hup()
    one.await_event("reloaded", count=2)
    client = connect(one)
    said = reply(client, 3)
    assert reply(client, 3) == said
    eventually(lambda: reply(client, 3) != said, "the window's end", 5)
    client.quit()


def test_dropped_by_the_operator(make_server):
    """Who does not know that it was dropped hears the same id; nothing rises from the dead."""
    one = make_server(config='fronts = 1\nrelay = "smtp://127.0.0.1:9"\nduplicate-window = "1 h"\n')
    one.add_key("alice", "alice@example.org", "laptop")
    one.start()
    client = connect(one)
    said = reply(client)
    number = said[1].decode().split()[-1]
    done = postern("queue", "drop", *one.options, number)
    assert done.returncode == 0, done.stderr
    assert reply(client) == said
    client.quit()
    assert one.stop() == 0
