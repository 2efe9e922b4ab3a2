"""postern send and sendmail without standard input, output, error. cli-3."""

import os
import subprocess

import pytest

from postern_server import POSTERN
from scripted_server import ScriptedServer


def run(folder, closed, message=b"x\n"):
    accounts = folder / "accounts"
    with ScriptedServer(offers=["8BITMIME"]) as server:
        accounts.write_text(f'account default {{ server = "smtp://127.0.0.1:{server.port}"\nfrom = "alice@example.org" }}\n')
        accounts.chmod(0o600)
        done = subprocess.run(["sh", "-c", f'exec "$0" send --accounts "$1" --verbose b@example.net {closed}', POSTERN, str(accounts)], input=message,
                              capture_output=True, timeout=20, check=False, env=dict(os.environ, HOME=str(folder)))
    return done, server


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_nobody_listens(tmp_path, closed):
    done, server = run(tmp_path, closed)
    assert done.returncode == 0
    assert [m["content"].endswith(b"\r\n\r\nx\r\n") for m in server.messages] == [True]
    assert [line[:4] for line in server.sessions[0]] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "</", "0>/dev/null"])
def test_there_is_nothing_to_read(tmp_path, closed):
    done, server = run(tmp_path, closed)
    assert done.returncode == 74 and not server.sessions
    assert b"reading the message" in done.stderr
