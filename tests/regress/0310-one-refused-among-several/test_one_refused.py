"""sendmail -bs: who was refused is known at the pipe, who has the message is not sent it again. RFC 5321 6.1."""

import pytest

from scripted_server import ScriptedServer, submit


def replies(tmp_path, refusals, rcpts, sender="alice@example.org"):
    conversation = ["EHLO here.example.org", f"MAIL FROM:<{sender}>", *[f"RCPT TO:<{r}>" for r in rcpts], "DATA",
        "From: alice@example.org", "Subject: to all of you", "", "hello", ".", "QUIT"]
    with ScriptedServer(offers=["DSN"], replies=refusals) as server:
        done = submit(tmp_path, server, "-bs", input="\r\n".join(conversation).encode() + b"\r\n")
    return [line[:3] for line in done.stdout.decode().splitlines() if line[3:4] != "-"][3:], server.messages


@pytest.mark.parametrize("words", [b"550 5.1.1 nobody of that name\r\n", b"450 4.2.1 come again\r\n"])
@pytest.mark.parametrize("sender", ["alice@example.org", ""])
def test_who_was_refused(tmp_path, words, sender):
    said, messages = replies(tmp_path, {"b@example.net": words}, ["a@example.net", "b@example.net", "c@example.net"], sender)
    assert said == ["250", words[:3].decode(), "250", "354", "250", "221"]
    assert [m["rcpt"] for m in messages] == [["a@example.net", "c@example.net"]]


def test_nobody_has_it(tmp_path):
    said, messages = replies(tmp_path, {"b@example.net": b"550 5.1.1 no\r\n"}, ["b@example.net"])
    assert said[:2] == ["550", "503"] and not messages
