"""Nine octets that announce a ClientHello of 128 KiB must not make the front set so much memory aside."""
import socket
import struct
import subprocess

import pytest

HELLO_LENGTH = 131000
COUNT = 5


def claim(length):
    """The header of a full record, that of a ClientHello of this length, and nothing more."""
    return b"\x16\x03\x01" + struct.pack("!H", 16384) + b"\x01" + struct.pack("!I", length)[1:]


def extension(number, octets):
    return struct.pack("!HH", number, len(octets)) + octets


def hello_without_share():
    """A ClientHello of TLS 1.3 that offers P-256 and brings no key for it: a HelloRetryRequest answers."""
    extensions = b"".join([extension(43, b"\x02\x03\x04"), extension(10, b"\x00\x02\x00\x17"), extension(13, b"\x00\x02\x04\x03"),
                           extension(51, b"\x00\x00")])
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def ends(tcp):
    """Does the server end it, long before the handshake's time is over?"""
    tcp.settimeout(10)
    try:
        while tcp.recv(100):
            pass
    except ConnectionResetError:
        pass        # what it did not read was thrown away
    return True


def connect(one):
    return socket.create_connection((one.host, one.submissions), 20)


def test_a_claim_is_the_end(make_server):
    one = make_server(config="fronts = 1\n").start()
    assert one.served_leaf()
    waiting = []
    for _ in range(COUNT):
        tcp = connect(one)
        # In two pieces: the claim is seen however it is cut.
        tcp.sendall(claim(HELLO_LENGTH)[:7])
        waiting.append(tcp)
    for tcp in waiting:
        tcp.sendall(claim(HELLO_LENGTH)[7:])
        assert ends(tcp)
    assert "ClientHello" in one.await_event("handshake-failed")["why"]
    # A big one that is still a hello is heard: the server goes on waiting for its rest.
    with connect(one) as tcp:
        tcp.sendall(claim(12000))
        tcp.settimeout(1)
        with pytest.raises(socket.timeout):
            tcp.recv(100)
    assert one.served_leaf()
    assert one.stop() == 0


def test_a_second_hello_too(make_server):
    """And one whose header is cut in two records, so that nobody sees the number."""
    one = make_server(config="fronts = 1\n").start()
    with connect(one) as tcp:
        tcp.sendall(hello_without_share())
        tcp.settimeout(10)
        assert tcp.recv(1000)[5:6] == b"\x02", "a HelloRetryRequest"
        tcp.sendall(b"\x14\x03\x03\x00\x01\x01" + claim(HELLO_LENGTH))
        assert ends(tcp)
    with connect(one) as tcp:
        tcp.sendall(b"\x16\x03\x01\x00\x01\x01" + b"\x16\x03\x01\x40\x00\x02\x00\x00")
        assert ends(tcp)
    assert len(one.events("handshake-failed")) == 2
    # A client with another favourite group gets through by way of HelloRetryRequest.
    done = subprocess.run(["openssl", "s_client", "-connect", f"{one.host}:{one.submissions}", "-groups", "P-384:P-256", "-tls1_3", "-brief"],
                          input=b"", capture_output=True, timeout=20, check=False)
    assert b" Temp Key: ECDH, prime256v1" in done.stdout + done.stderr, done.stderr
    assert one.stop() == 0
