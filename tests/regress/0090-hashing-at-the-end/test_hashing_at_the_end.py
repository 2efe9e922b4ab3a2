"""3_auth is told to finish while workers still hash for sessions that are gone: it ends in peace."""
import base64
import os
import signal
import socket
import time

from postern_server import postern

SESSIONS = 24


def test_drain_while_hashing(make_server):
    one = make_server(config="").start()
    done = postern("user", "add", *one.options, "alice", "--address", "alice@example.org", "--password", input="secret\n")
    assert done.returncode == 0, done.stderr
    time.sleep(1.1)
    clients = []
    for _ in range(SESSIONS):
        tls = one.context().wrap_socket(socket.create_connection((one.host, one.submissions), 20), server_hostname="localhost")
        tls.recv(500)
        tls.sendall(b"EHLO laptop.example.org\r\n")
        tls.recv(2000)
        clients.append(tls)
    for client in clients:
        client.sendall(b"AUTH PLAIN " + base64.b64encode(b"\0alice\0wrong") + b"\r\n")
    time.sleep(0.1)
    # Nobody waits for the fronts' sessions any more, so 3_auth's turn comes at once.
    for name, pid in one.children().items():
        if name.startswith("front"):
            os.kill(pid, signal.SIGKILL)
    one.process.send_signal(signal.SIGTERM)
    for client in clients:
        client.close()
    assert one.process.wait(45) == 0
    assert not one.events("child-ended", child="auth")
