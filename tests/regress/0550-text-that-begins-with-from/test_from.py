"""A first line "From ..." with no header behind it is text, and stays. cli-2; RFC 4155."""

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, message, *arguments):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", *arguments, "a@example.net", input=message)
    assert (done.returncode, done.stderr) == (0, b""), done
    return server.messages[0]["content"].split(b"\r\n\r\n", 1)


@pytest.mark.parametrize("text", [
    "From now on the disk is full.\nPlease look.\n", "From now on\n\nsecond paragraph\n", "From here", "From here\n", ">From a reply\nanswer\n",
    "From a\nFrom b\nc\n", "From now on\n leading blank\n", "From now on\n" + "x" * 998 + " y\n", "From Köln\nGrüße\n", "From now on\n\n\nTo: nobody\n",
    "From now on\n.\n"])
def test_text(tmp_path, text):
    head, body = sent(tmp_path, text.encode())
    assert body == text.rstrip("\n").encode().replace(b"\n", b"\r\n") + b"\r\n" or b"quoted-printable" in head and body.startswith(b"From now on\r\n")
    assert b"\r\nFrom" not in head and head.startswith(b"From: <alice@example.org>\r\nDate: ")


@pytest.mark.parametrize("first", ["From alice Sun Nov 22 10:00:00 2026\n", ">From alice@example.org Sun Nov 22 10:00:00 2026\r\n", "\ufeffFrom älice\n"])
@pytest.mark.parametrize("field", ["Subject: x", "X-Long: " + "word " * 250])
def test_mailbox_file(tmp_path, first, field):
    head, body = sent(tmp_path, f"{first}{field}\nBcc: b@example.net\n\nbody\n".encode())
    assert b"alice " not in head and b"lice\r\n" not in head and b"Bcc" not in head and body == b"body\r\n"
    assert head.startswith(field[:20].encode())


def test_recipients_behind_a_mailbox_line(tmp_path):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "-t", input=b"From alice Sun Nov 22 10:00:00 2026\nTo: a@example.net\nBcc: b@example.net\n\nx\n")
    assert done.returncode == 0 and server.messages[0]["rcpt"] == ["a@example.net", "b@example.net"]
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "-t", input=b"From alice Sun Nov 22 10:00:00 2026\nTo: a@@example.net\n\nx\n")
    assert done.returncode == 65 and b"line 2" in done.stderr
