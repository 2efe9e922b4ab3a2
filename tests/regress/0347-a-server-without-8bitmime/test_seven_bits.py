"""8-bit mail for a server that takes seven bits. 6152-2; RFC 6152 3."""

import email
import email.policy
import os
import subprocess

from postern_server import POSTERN
from scripted_server import ScriptedServer, submit


def test_it_is_encoded(tmp_path):
    head = "From: alice@example.org\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    with ScriptedServer(offers=["SIZE", "LIMITS RCPTDOMAINMAX=1"]) as server:
        done = submit(tmp_path, server, "b@one.example", "c@two.example", input=(head + "Viele Grüße an alle\n").encode())
    assert (done.returncode, done.stderr) == (0, b"") and len(server.messages) == 2
    for taken in server.messages:
        assert taken["content"].isascii() and "BODY" not in taken["mail"] and f"SIZE={len(taken['content'])}" in taken["mail"]
        message = email.message_from_bytes(taken["content"], policy=email.policy.SMTP)
        assert message["Content-Transfer-Encoding"] == "quoted-printable" and message.get_content() == "Viele Grüße an alle\r\n"


def test_what_is_signed_is_not(tmp_path):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "b@example.net", input="DKIM-Signature: v=1\n\nGrüße\n".encode())
    assert done.returncode == 65 and not server.messages
    assert all(word in done.stderr for word in [b"8BITMIME", b"DKIM-Signature"]), done.stderr


def test_nothing_to_read_at_the_pipe(tmp_path):
    with ScriptedServer() as server:
        assert submit(tmp_path, server, "-bs", input=b"QUIT\r\n").returncode == 0
    done = subprocess.run(["sh", "-c", f'exec "$0" sendmail -bs -C {tmp_path}/accounts <&-', POSTERN], capture_output=True, timeout=20, check=False,
                          env=dict(os.environ, HOME=str(tmp_path)))
    assert done.returncode == 74 and b"standard input" in done.stderr
