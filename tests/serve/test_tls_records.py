"""Records that no honest client sends, and few that it may: RFC 8446 4.6.3 and 6, RFC 5246 7.4.1.1. F2."""
import base64
import os
import pathlib
import ssl
import time

import pytest
from postern_server import Server
from tls_records import ALERT, DATA, HANDSHAKE, Records

V1_2 = ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("records"), config="fronts = 1\n").start()
    server.add_key()
    yield server
    assert server.stop() == 0


def busy(server):
    """Seconds of CPU that the front has used."""
    words = pathlib.Path(f"/proc/{server.children()['front:0']}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


def greeted(server, **more):
    records = Records(server.host, server.submissions, **more)
    assert records.replies().startswith(b"220 ")
    return records


@pytest.mark.parametrize("starttls", [False, True])
def test_key_updates_of_an_honest_client(one, starttls):
    """Some of them, with and without an answer, and the talk goes on under the new keys on both sides."""
    with Records(one.host, one.submission if starttls else one.submissions, starttls=starttls) as client:
        assert starttls or client.replies().startswith(b"220 ")
        for i in range(10):
            client.tcp.sendall(client.key_update(requested=i % 2 == 0) + client.data(b"NOOP\r\n"))
            assert client.replies().startswith(b"250 ")


@pytest.mark.parametrize("requested", [False, True])
def test_key_updates_without_end(one, requested):
    """Regress 0431: the session ends, and what was sent behind costs nothing."""
    with greeted(one) as client:
        flood, before = b"".join(client.key_update(requested) for _ in range(20000)), busy(one)
        try:
            client.tcp.sendall(flood)
        except ConnectionError:
            pass
        client.ended(5)
        assert busy(one) - before < 0.1


def test_a_key_update_that_nobody_hears(one):
    """Regress 0430: who wants answers and takes none is not asked again and again."""
    with greeted(one, window=4096) as client:
        flood = b"".join(client.key_update(requested=True) for _ in range(40000))
        client.tcp.settimeout(1)
        try:
            client.tcp.sendall(flood)
        except (TimeoutError, ConnectionError):
            pass
        time.sleep(0.5)
        before = busy(one)
        time.sleep(0.5)
        assert busy(one) - before < 0.2, "it spins"


HELLO = bytes.fromhex("0303") + bytes(32) + bytes.fromhex("000002c02b01000005ff01000100")
HELLO = b"\1" + len(HELLO).to_bytes(3, "big") + HELLO


def test_renegotiation_again_and_again(one):
    """Regress 0431: refused, which is a warning; who goes on asking is hung up on."""
    with greeted(one, version=V1_2) as client:
        client.tcp.sendall(client.record(HANDSHAKE, HELLO))
        assert client.tcp.recv(1000)[0] == ALERT
        client.tcp.sendall(client.data(b"NOOP\r\n"))
        assert client.tcp.recv(1000)[0] == DATA
        try:
            client.tcp.sendall(b"".join(client.record(HANDSHAKE, HELLO) for _ in range(5000)))
        except ConnectionError:
            pass
        client.ended(5)


@pytest.mark.parametrize("what, kind, octets", [
    ("NewSessionTicket", HANDSHAKE, b"\4\0\0\x0a" + bytes(10)), ("CertificateRequest", HANDSHAKE, b"\x0d\0\0\3\0\0\0"),
    ("user_canceled", ALERT, b"\1\x5a"), ("empty handshake records", HANDSHAKE, b""), ("two KeyUpdates in a record", HANDSHAKE, b"\x18\0\0\1\0" * 2),
])
def test_what_else_a_client_may_not_send(one, what, kind, octets):
    with greeted(one) as client:
        try:
            client.tcp.sendall(b"".join(client.record(kind, octets) for _ in range(50)))
        except ConnectionError:
            pass
        client.ended(5)


@pytest.mark.parametrize("version", [V1_2, ssl.TLSVersion.TLSv1_3])
def test_content_in_tiny_records(one, version):
    """One octet each, thousands: slow, and good mail all the same."""
    before = len(one.mails())
    with greeted(one, version=version) as client:
        client.tcp.sendall(client.data(b"EHLO records\r\n"))
        assert client.replies(b"250 ").startswith(b"250-")
        plain = base64.b64encode(f"\0{one.login}\0{one.key}".encode())
        for line, code in [(b"AUTH PLAIN " + plain, b"235"), (b"MAIL FROM:<a@" + one.hostname.encode() + b">", b"250"),
                           (b"RCPT TO:<b@example.net>", b"250"), (b"DATA", b"354")]:
            client.tcp.sendall(client.data(line + b"\r\n"))
            assert client.replies().startswith(code)
        text = b"From: a@" + one.hostname.encode() + b"\r\nSubject: drops\r\n\r\n" + b"0123456789\r\n" * 1000 + b".\r\n"
        client.tcp.sendall(b"".join(client.data(text[i:i + 1]) for i in range(len(text))))
        assert client.replies().startswith(b"250 ")
    assert one.await_mails(before + 1)[-1].count(b"0123456789") == 1000
