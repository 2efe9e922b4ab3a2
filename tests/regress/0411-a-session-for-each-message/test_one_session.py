"""sendmail -bs keeps its session from message to message. RFC 5321 3.3, 4.1.1.5; RFC 9422 4. 9422-2."""

import os
import subprocess
import time

import pytest

from postern_server import POSTERN
from scripted_server import ScriptedServer, submit

HEAD = "From: alice@example.org\r\n\r\n"


def message(n, rcpt="a@example.net"):
    return [f"MAIL FROM:<alice@example.org> ENVID=m{n}", f"RCPT TO:<{rcpt}>", "DATA", f"{HEAD}number {n}", "."]


def talk(tmp_path, server, lines):
    done = submit(tmp_path, server, "-bs", input="\r\n".join(["EHLO here", *lines, "QUIT", ""]).encode())
    replies = [line for line in done.stdout.decode().splitlines() if line[3:4] != "-"]
    assert done.returncode == 0 and replies[-1].startswith("221 "), replies
    return replies[2:-1]


def numbers(server):
    return [m["content"].split(b"number ")[1].strip().decode() for m in server.messages]


def verbs(session):
    return [line.split(" ")[0] for line in session]


ONE = ["MAIL", "RCPT", "DATA"]


def test_three_messages(tmp_path):
    with ScriptedServer(offers=["PIPELINING", "DSN"]) as server:
        replies = talk(tmp_path, server, message(1) + message(2) + message(3))
    assert [r[:3] for r in replies] == ["250", "250", "354", "250"] * 3
    assert numbers(server) == ["1", "2", "3"] and [m["mail"].split("ENVID=")[1] for m in server.messages] == ["m1", "m2", "m3"]
    assert [verbs(s) for s in server.sessions] == [["EHLO", *ONE, *ONE, *ONE, "QUIT"]]


def test_forgotten_ones(tmp_path):
    """RSET at the pipe, nobody accepted, refused content, refused MAIL: the session goes on."""
    replies = {"no@example.net": b"550 5.1.1 nobody\r\n"}
    with ScriptedServer(replies=replies) as server:
        heard = talk(tmp_path, server, [*message(1)[:2], "RSET", *message(2, "no@example.net")[:2], "RSET", "MAIL FROM:<alice@example.org>", "RSET",
                                        *message(3)[:3], "From: alice@example.org", "no field", "", "x", ".", *message(4)])
    assert [r[:3] for r in heard] == ["250", "250", "250", "250", "550", "250", "250", "250", "250", "250", "354", "554", "250", "250", "354", "250"], heard
    assert numbers(server) == ["4"]
    assert [verbs(s) for s in server.sessions] == [["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "RSET", "MAIL", "RSET", "MAIL", "RCPT", "RSET", *ONE, "QUIT"]]


@pytest.mark.parametrize("offers, sessions", [(["LIMITS MAILMAX=2"], 2), (["LIMITS RCPTDOMAINMAX=1"], 3)])
def test_as_many_as_the_server_says(tmp_path, offers, sessions):
    with ScriptedServer(offers=offers) as server:
        replies = talk(tmp_path, server, [line for n in (1, 2, 3) for line in message(n, f"a@{n}.example")])
    assert [r[:3] for r in replies] == ["250", "250", "354", "250"] * 3, replies
    assert numbers(server) == ["1", "2", "3"] and len(server.sessions) == sessions


def nth_mail(n, reply):
    return {"MAIL": lambda heard: reply if verbs(heard).count("MAIL") == n else b"250 2.1.0 ok\r\n"}


@pytest.mark.parametrize("reply", [b"", b"421 4.7.0 enough for one session\r\n", b"451 4.7.1 that is enough\r\n", b"452 4.5.3 too many messages\r\n"])
def test_the_server_has_enough(tmp_path, reply):
    with ScriptedServer(replies=nth_mail(3, reply)) as server:
        replies = talk(tmp_path, server, [line for n in range(1, 6) for line in message(n)])
    assert [r[:3] for r in replies] == ["250", "250", "354", "250"] * 5, replies
    assert numbers(server) == ["1", "2", "3", "4", "5"] and len(server.sessions) == 3


def test_refused_for_good_is_refused_once(tmp_path):
    with ScriptedServer(replies=nth_mail(2, b"550 5.7.1 not you\r\n")) as server:
        replies = talk(tmp_path, server, message(1) + message(2)[:1] + message(3))
    assert [r[:3] for r in replies] == ["250", "250", "354", "250", "550", "250", "250", "354", "250"], replies
    assert numbers(server) == ["1", "3"] and len(server.sessions) == 1


def test_not_now_is_asked_no_third_time(tmp_path):
    with ScriptedServer(replies={"MAIL": lambda heard: b"250 ok\r\n" if not server.messages else b"451 4.3.0 not now\r\n"}) as server:
        replies = talk(tmp_path, server, message(1) + message(2)[:1])
    assert replies[-1].startswith("451 4.3.0 not now") and [verbs(s).count("MAIL") for s in server.sessions] == [2, 1]


def test_lost_behind_the_message_is_told_and_not_repeated(tmp_path):
    """Whether the server has it nobody knows: the program decides, as with any server."""
    with ScriptedServer(replies={".": b""}) as server:
        replies = talk(tmp_path, server, message(1) + message(2))
    assert [r[:3] for r in replies] == ["250", "250", "354", "451"] * 2, replies
    assert [verbs(s) for s in server.sessions] == [["EHLO", *ONE], ["EHLO", *ONE]]


class Pipe:
    """The program at the pipe, which takes its time."""

    def __init__(self, tmp_path, server):
        accounts = tmp_path / "accounts"
        accounts.write_text(f'account default {{ server = "smtp://127.0.0.1:{server.port}" }}\n')
        accounts.chmod(0o600)
        self.process = subprocess.Popen([POSTERN, "sendmail", "-bs", "-C", str(accounts)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, HOME=str(tmp_path)))
        assert self.reply().startswith("220 ")

    def reply(self):
        line = self.process.stdout.readline().decode()
        while line[3:4] == "-":
            line = self.process.stdout.readline().decode()
        return line

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\r\n")
        self.process.stdin.flush()
        return self.reply()

    def send(self, n):
        mail, rcpt, data, content, dot = message(n)
        assert [self.say(line)[:3] for line in (mail, rcpt, data)] == ["250", "250", "354"]
        return self.say(f"{content}\r\n{dot}")

    def end(self):
        assert self.say("QUIT").startswith("221 ")
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def test_the_server_hangs_up_meanwhile(tmp_path):
    """It says 421 and closes when a message is through: nothing is said to it any more."""
    with ScriptedServer(replies={".": b"250 2.0.0 taken\r\n421 4.4.2 I have waited\r\n"}, ) as server:
        pipe = Pipe(tmp_path, server)
        pipe.say("EHLO here")
        for n in (1, 2):
            assert pipe.send(n).startswith("250 ")
            time.sleep(0.2)
        pipe.end()
    assert numbers(server) == ["1", "2"] and [verbs(s)[:4] for s in server.sessions] == [["EHLO", *ONE], ["EHLO", *ONE]]
    assert all(verbs(s).count("MAIL") == 1 for s in server.sessions)


def test_nothing_to_send_for_a_while(tmp_path):
    with ScriptedServer() as server:
        pipe = Pipe(tmp_path, server)
        pipe.say("EHLO here")
        assert pipe.send(1).startswith("250 ")
        for _ in range(80):
            if verbs(server.sessions[0])[-1] == "QUIT":
                break
            time.sleep(0.1)
        assert verbs(server.sessions[0]) == ["EHLO", *ONE, "QUIT"]
        assert pipe.say("NOOP").startswith("250 ") and pipe.send(2).startswith("250 ")
        pipe.end()
    assert numbers(server) == ["1", "2"] and len(server.sessions) == 2
