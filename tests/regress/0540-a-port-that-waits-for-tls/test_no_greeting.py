"""A port that awaits TLS says nothing to who awaits its greeting (RFC 8314 3.3): five minutes of RFC 5321 4.5.3.2.1 are too long to find that out."""
import select
import socket
import subprocess
import time

import pytest

from postern_server import POSTERN

RIGHT = "right would be submissions://"
MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\nx\r\n"


@pytest.fixture
def mute():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def send(listener, *options):
    return subprocess.Popen([POSTERN, "send", "--server", f"submission://127.0.0.1:{listener.getsockname()[1]}", "--timeout", "1",
                             "--from", "a@example.org", *options, "b@example.net"],
                            stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def give(client):
    client.stdin.write(MESSAGE)
    client.stdin.close()


def test_it_is_said_while_we_wait(mute):
    with send(mute) as client:
        give(client)
        peer, _ = mute.accept()
        begun = time.monotonic()
        heard, _, _ = select.select([client.stderr], [], [], 10)
        words = client.stderr.readline().decode() if heard else peer.close() or "nothing"
        assert RIGHT in words and f":{mute.getsockname()[1]}" in words, words
        assert 0.8 < time.monotonic() - begun < 10
        assert client.poll() is None        # a slow greeting is still taken
        peer.sendall(b"421 4.3.2 mx.example.org not now\r\n")
        peer.close()
        assert RIGHT not in client.stderr.read().decode()
    assert client.returncode == 75


def test_closed_without_a_word(mute):
    with send(mute) as client:
        give(client)
        mute.accept()[0].close()
        assert RIGHT in client.stderr.read().decode()
    assert client.returncode == 75


def test_a_greeting_is_no_riddle(mute):
    with send(mute, "--quiet") as client:
        give(client)
        peer, _ = mute.accept()
        time.sleep(1.5)
        peer.sendall(b"421 4.3.2 mx.example.org not now\r\n")
        peer.close()
        assert RIGHT not in client.stderr.read().decode()
    assert client.returncode == 75
