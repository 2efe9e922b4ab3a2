"""sendmail -bs: what the server says to MAIL, to each RCPT and to the message is heard at the pipe. RFC 5321 3.3, 4.2.1, 4.5.3.1.10; RFC 9422 4."""

import pytest

from scripted_server import ScriptedServer, submit

HEAD = "From: alice@example.org\r\nSubject: x\r\n\r\n"


def talk(tmp_path, server, rcpts, mail="", body="hello", more=()):
    lines = ["EHLO here.example.org", f"MAIL FROM:<alice@example.org>{mail}", *[f"RCPT TO:<{r}>" for r in rcpts], "DATA", HEAD + body, ".",
             *more, "QUIT"]
    done = submit(tmp_path, server, "-bs", input="\r\n".join(lines).encode("utf-8") + b"\r\n")
    assert done.returncode == 0
    replies = [line for line in done.stdout.decode().splitlines() if line[3:4] != "-"]
    assert replies[0].startswith("220 ") and replies[-1].startswith("221 "), replies
    return replies[2:-1]


@pytest.mark.parametrize("refusal, heard", [
    (b"450 4.2.1 come again\r\n", "450 4.2.1 come again"), (b"452 too many\r\n", "452 4.0.0 too many"),
    (b"550-5.1.1 nobody\r\n550 5.1.1 of that name\r\n", "550 5.1.1 nobody / 5.1.1 of that name"),
    (b"550 4.2.1 two minds\r\n", "550 5.0.0 4.2.1 two minds"),
])
def test_one_of_three(tmp_path, refusal, heard):
    with ScriptedServer(offers=["PIPELINING"], replies={"b@example.net": refusal}) as server:
        replies = talk(tmp_path, server, ["a@example.net", "b@example.net", "c@example.net"])
    assert [r[:3] for r in replies] == ["250", "250", heard[:3], "250", "354", "250"] and replies[2] == heard, replies
    assert [m["rcpt"] for m in server.messages] == [["a@example.net", "c@example.net"]]
    assert server.messages[0]["content"].endswith(b"\r\n\r\nhello\r\n")


def test_nobody_is_left(tmp_path):
    with ScriptedServer(replies={"b@example.net": b"450 4.2.1 come again\r\n"}) as server:
        replies = talk(tmp_path, server, ["b@example.net"])
    assert [r[:3] for r in replies[:3]] == ["250", "450", "503"] and not server.messages


@pytest.mark.parametrize("verb, reply, heard", [
    ("MAIL", b"451 4.3.1 full\r\n", "451 4.3.1 full"), ("MAIL", b"550 5.7.1 not you\r\n", "550 5.7.1 not you"),
    ("MAIL", b"421 4.3.2 closing\r\n", "451 4.3.2 closing"), ("EHLO", b"554 no\r\n", "554 5.0.0 no"), ("MAIL", b"", "451 4.4.2 "),
])
def test_mail_is_refused(tmp_path, verb, reply, heard):
    with ScriptedServer(replies={verb: reply}) as server:
        replies = talk(tmp_path, server, ["a@example.net"])
    assert replies[0].startswith(heard), replies
    assert replies[1].startswith("503 ") and not server.messages


@pytest.mark.parametrize("reply, heard", [
    (b"554 5.7.1 spam\r\n", "554 5.7.1 spam"), (b"451 4.7.1 later\r\n", "451 4.7.1 later"), (b"250 2.0.0 queued as 17\r\n", "250 2.0.0 queued as 17")])
def test_the_last_word(tmp_path, reply, heard):
    with ScriptedServer(replies={".": reply}) as server:
        replies = talk(tmp_path, server, ["a@example.net"])
    assert replies[-1] == heard, replies


def test_nobody_listens(tmp_path):
    with ScriptedServer() as server:
        pass
    replies = talk(tmp_path, server, ["a@example.net"])
    assert replies[0].startswith("451 4.4.1 ") and "refused" in replies[0], replies


def test_lost_on_the_way(tmp_path):
    with ScriptedServer(replies={"b@example.net": b""}) as server:
        replies = talk(tmp_path, server, ["a@example.net", "b@example.net", "c@example.net"])
    assert [r[:3] for r in replies] == ["250", "250", "451", "451", "354", "451"], replies


def test_a_limit_of_domains(tmp_path):
    with ScriptedServer(offers=["LIMITS RCPTMAX=2 RCPTDOMAINMAX=1"]) as server:
        replies = talk(tmp_path, server, ["a@example.net", "b@example.com", "c@example.net"])
    assert replies[2].startswith("452 4.5.3 ") and replies[3].startswith("452 4.5.3 "), replies
    assert [m["rcpt"] for m in server.messages] == [["a@example.net"]]


def test_forgotten_and_another(tmp_path):
    lines = ["EHLO here", "MAIL FROM:<alice@example.org>", "RCPT TO:<a@example.net>", "RSET", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "DATA",
             HEAD + "one", ".", "MAIL FROM:<alice@example.org> SIZE=100", "RCPT TO:<c@example.net>", "DATA", HEAD + "two", ".", "QUIT"]
    with ScriptedServer(offers=["SIZE"]) as server:
        done = submit(tmp_path, server, "-bs", input="\r\n".join(lines).encode() + b"\r\n")
    assert done.returncode == 0 and b"\r\n4" not in done.stdout and b"\r\n5" not in done.stdout, done.stdout
    assert [(m["from"], m["rcpt"]) for m in server.messages] == [("", ["b@example.net"]), ("alice@example.org", ["c@example.net"])]
    assert "SIZE=100" in server.messages[1]["mail"]


@pytest.mark.parametrize("offers, body, heard", [
    (["8BITMIME"], "Grüße", "250 "), (["SIZE 1000"], "x" * 900 + "\r\n" + "x" * 900, "552 5.3.4 ")])
def test_what_the_server_cannot_take(tmp_path, offers, body, heard):
    with ScriptedServer(offers=offers) as server:
        replies = talk(tmp_path, server, ["a@example.net"], body=body)
    assert replies[-1].startswith(heard), replies
    assert bool(server.messages) == (heard == "250 ")


def test_the_pipe_closes_in_the_middle(tmp_path):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "-bs", input=f"EHLO here\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n{HEAD}half".encode())
    assert done.returncode == 0 and not server.messages
