"""A terminal shows again what is typed, however the question for a password ends."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import time

import pytest

from postern_server import POSTERN, make_certificate
from scripted_server import ScriptedServer


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def ask(arguments, answer):
    """How it ends that somebody answers so, and whether his terminal echoes then."""
    def sit_down():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # Who runs the tests in the background ignores them, and so would we.
        for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)

    master, terminal = pty.openpty()
    process = subprocess.Popen([POSTERN, *map(str, arguments)], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                               preexec_fn=sit_down)
    try:
        shown, end = b"", time.monotonic() + 10
        while b"assword of" not in shown and time.monotonic() < end:
            shown += os.read(master, 1000)
        while echoes(terminal) and time.monotonic() < end:
            time.sleep(0.01)
        assert not echoes(terminal)
        if isinstance(answer, bytes):
            os.write(master, answer)
        else:
            process.send_signal(answer)
        return process.wait(10), echoes(terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(master)


ANSWERS = [(b"\x03", -signal.SIGINT), (b"\x1c", -signal.SIGQUIT), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)]


@pytest.mark.parametrize("answer, status", [*ANSWERS, (b"secret\n", 0), (b"\n", 78), (b"\x04", 78)])
def test_send(tmp_path, answer, status):
    chain, key = make_certificate(tmp_path, "localhost")
    message = tmp_path / "message"
    message.write_bytes(b"x\n")
    with ScriptedServer(offers=["AUTH PLAIN"], tls=(chain, key)) as server:
        ended = ask(["send", "--to", "a@example.net", "--server", f"submissions://localhost:{server.port}", "--user", "alice", "--ca", chain,
                     "--from", "alice@example.org", "--file", message], answer)
    assert ended == (status, True)
