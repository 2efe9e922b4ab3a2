"""Whom one session does not take another one does: RFC 9422 4.1 to 4.3."""

import pytest

from scripted_server import ScriptedServer, submit

MESSAGE = b"From: alice@example.org\n\nhello\n"


def rcpts(server):
    return [message["rcpt"] for message in server.messages]


@pytest.mark.parametrize("command", ["sendmail", "send"])
def test_domains(tmp_path, command):
    to = ["a@one.example", "b@two.example", "c@one.example", "d@three.example", "e@TWO.example"]
    with ScriptedServer(offers=["PIPELINING", "LIMITS RCPTDOMAINMAX=1"]) as server:
        done = submit(tmp_path, server, *to, command=command, input=MESSAGE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rcpts(server) == [["a@one.example", "c@one.example"], ["b@two.example", "e@TWO.example"], ["d@three.example"]]
    assert len(server.sessions) == 3
    if command == "send":
        assert b"5 of 5 recipients" in done.stdout


def test_messages_of_a_session(tmp_path):
    to = [f"u{i}@one.example" for i in range(5)]
    with ScriptedServer(offers=["LIMITS RCPTMAX=2 MAILMAX=1"]) as server:
        done = submit(tmp_path, server, *to, input=MESSAGE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rcpts(server) == [to[:2], to[2:4], to[4:]] and len(server.sessions) == 3


def test_both_in_one_session(tmp_path):
    to = [f"u{i}@{d}.example" for d in ("one", "two") for i in range(3)]
    with ScriptedServer(offers=["LIMITS RCPTMAX=2 RCPTDOMAINMAX=1"]) as server:
        done = submit(tmp_path, server, *to, input=MESSAGE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rcpts(server) == [to[:2], to[2:3], to[3:5], to[5:]] and len(server.sessions) == 2


def test_refusals_are_told_once(tmp_path):
    with ScriptedServer(offers=["LIMITS RCPTDOMAINMAX=1"], replies={"b@two.example": b"550 5.1.1 no\r\n", "a@one.example": b"450 4.2.1 later\r\n"}) as server:
        done = submit(tmp_path, server, "a@one.example", "b@two.example", "c@two.example", input=MESSAGE)
    assert done.returncode == 67 and len(done.stderr.splitlines()) == 2, done
    assert rcpts(server) == [["c@two.example"]] and len(server.sessions) == 2


def test_the_second_session_fails(tmp_path):
    """A server that takes nobody, and one that is gone, are not tried for ever."""
    with ScriptedServer(offers=["LIMITS RCPTDOMAINMAX=1"]) as server:
        server.replies["MAIL"] = lambda heard: b"" if len(server.sessions) > 1 else b"250 2.0.0 ok\r\n"
        done = submit(tmp_path, server, "a@one.example", "b@two.example", "c@three.example", input=MESSAGE)
    assert done.returncode == 75 and rcpts(server) == [["a@one.example"]] and len(server.sessions) == 2
    said = done.stderr.decode()
    assert "b@two.example" in said and "c@three.example" in said and "a@one.example" not in said
