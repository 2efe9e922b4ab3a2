"""The server is told to end while passwords are being hashed for sessions that have gone: 3_auth waits for its workers."""
import base64
import socket
import struct

from postern_server import postern

GUESSES = 60            # fewer than may wait for a worker


def guest(one, context):
    """Somebody who could log in now."""
    tls = context.wrap_socket(socket.create_connection((one.host, one.submissions), 20), server_hostname=one.hostname)
    tls.recv(500)
    tls.sendall(b"EHLO laptop.example.org\r\n")
    tls.recv(2000)
    return tls


def test_ends_well(make_server):
    one = make_server(config="").start()
    done = postern("user", "add", *one.options, "alice", "--address", "alice@example.org", "--password", input="a good pass phrase\n")
    assert done.returncode == 0, done.stderr
    context = one.context()
    guests = [guest(one, context) for _ in range(GUESSES)]
    for tls in guests:
        tls.sendall(b"AUTH PLAIN " + base64.b64encode(b"\0alice\0not the pass phrase") + b"\r\n")
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))      # a reset is noticed at once
    for tls in guests:
        tls.close()
    assert one.stop() == 0
    ended = one.events("child-ended")
    assert ended == [], f"a process died while draining: {ended}"
