"""SMTP that somebody types. RFC 5321 2.3.8."""

import email
import os
import pty
import subprocess

from postern_server import POSTERN
from scripted_server import ScriptedServer, submit

LINES = ["EHLO here", "MAIL FROM:<alice@example.org>", "RCPT TO:<a@example.net>", "DATA", "From: alice@example.org", "", "..typed", "ünd " * 20, ".", "QUIT"]


def test_at_a_terminal(tmp_path):
    with ScriptedServer() as server:
        accounts = tmp_path / "accounts"
        accounts.write_text(f'account default {{ server = "smtp://127.0.0.1:{server.port}" }}\n')
        accounts.chmod(0o600)
        keyboard, terminal = pty.openpty()
        process = subprocess.Popen([POSTERN, "sendmail", "-bs", "-C", str(accounts)], stdin=terminal, stdout=subprocess.PIPE,
                                   env=dict(os.environ, HOME=str(tmp_path)))
        os.write(keyboard, "\n".join([*LINES, ""]).encode())
        said = process.communicate(timeout=10)[0]
        os.close(terminal)
        os.close(keyboard)
    assert process.returncode == 0 and b"\r\n221 " in said and len(server.messages) == 1, said
    message = email.message_from_bytes(server.messages[0]["content"])
    assert message.get_payload(decode=True) == ("\r\n".join([".typed", "ünd " * 20, ""])).encode()


def test_at_a_pipe(tmp_path):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "-bs", input="\n".join([*LINES, ""]).encode())
    assert b"\r\n500 5.5.2 bare LF" in done.stdout and not server.sessions
