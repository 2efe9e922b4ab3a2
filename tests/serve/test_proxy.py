"""PROXY protocol, version 2, from those that `proxy` names: headers made here, and HAProxy's own. 5321-36 8314-16."""
import shutil
import smtplib
import socket
import ssl
import struct
import subprocess

import pytest
from postern_server import eventually, free_port, make_certificate, postern

ONE = "fronts = 1\n"
NAMED = ONE + 'proxy = { "127.0.0.9", "127.0.8.0/24" }\n'
TEXT = b"From: <a@mail.example.org>\r\nTo: <b@example.net>\r\nSubject: by proxy\r\n\r\nhello\r\n"


def crc32c(octets):
    total = 0xFFFFFFFF
    for octet in octets:
        total ^= octet
        for _ in range(8):
            total = total >> 1 ^ (0x82F63B78 if total & 1 else 0)
    return total ^ 0xFFFFFFFF


def header(source, checksum=False, command=0x21):
    """From source to us, in front of what a proxy passes on."""
    six = ":" in source
    family = socket.AF_INET6 if six else socket.AF_INET
    block = socket.inet_pton(family, source) + socket.inet_pton(family, "::1" if six else "127.0.0.1") + struct.pack(">HH", 40000, 465)
    block += b"\x02\x00\x10mail.example.org" + (b"\x03\x00\x04" + bytes(4) if checksum else b"")
    whole = b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, 0x21 if six else 0x11]) + struct.pack(">H", len(block)) + block
    return whole[:-4] + struct.pack(">I", crc32c(whole)) if checksum else whole


LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


class ByProxy(smtplib.SMTP_SSL):
    """smtplib over a connection from a proxy's address that begins with a header."""

    def __init__(self, server, first, address="127.0.0.9"):
        self.first, self.address = first, address
        context = ssl.create_default_context(cafile=str(server.ca))
        context.check_hostname = False
        super().__init__(server.host, server.submissions, context=context, timeout=20)

    def _get_socket(self, host, port, timeout):
        tcp = socket.create_connection((host, port), timeout, source_address=(self.address, 0))
        tcp.sendall(self.first)
        return self.context.wrap_socket(tcp)


def submit(server, smtp):
    with smtp:
        smtp.login(server.login, server.key)
        smtp.sendmail("a@mail.example.org", ["b@example.net"], TEXT)


def last_words(server, port, octets, address="127.0.0.9"):
    with socket.create_connection((server.host, port), 20, source_address=(address, 0)) as tcp:
        tcp.sendall(octets)
        got = b""
        while piece := tcp.recv(65536):
            got += piece
        return got


def users(one, config=NAMED):
    server = one(config=config).start()
    server.add_key()
    return server


@pytest.mark.parametrize("source, literal, checksum", [
    ("192.0.2.77", b"[192.0.2.77]", False), ("198.51.100.3", b"[198.51.100.3]", True),
    ("2001:db8::77", b"[IPv6:2001:db8::77]", True), ("::ffff:192.0.2.78", b"[192.0.2.78]", False)])
def test_the_client_behind_it_is_the_peer(make_server, source, literal, checksum):
    """In the trace field, in the log, and for 3_auth; the proxy's own address is nowhere."""
    server = users(make_server)
    submit(server, ByProxy(server, header(source, checksum)))
    (mail,) = server.await_mails()
    assert mail.split(b"\r\n\t")[0].count(literal) == 1 and b"127.0.0.9" not in mail
    plain = literal.strip(b"[]").removeprefix(b"IPv6:").decode()
    assert server.events("authenticated")[0]["peer"] == plain and server.events("accepted")[0]["peer"] == plain
    assert server.stop() == 0


def test_a_proxy_may_come_for_itself(make_server):
    server = users(make_server)
    submit(server, ByProxy(server, LOCAL, "127.0.8.8"))
    (mail,) = server.await_mails()
    assert b"([127.0.8.8])" in mail
    assert server.stop() == 0


def test_in_one_segment_with_what_follows(make_server):
    """TLS finds its octets untouched."""
    server = users(make_server)
    to_them, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(to_us, to_them)
    with socket.create_connection((server.host, server.submissions), 20, source_address=("127.0.0.9", 0)) as tcp:
        first = header("192.0.2.77", True)
        for _ in range(10):
            try:
                got = tls.read(1000)
                break
            except ssl.SSLWantReadError:
                tcp.sendall(first + to_them.read())
                first = b""
                to_us.write(tcp.recv(65536))
    assert got == b"220 mail.example.org ESMTP\r\n"
    assert server.stop() == 0


def test_starttls_behind_a_proxy(make_server):
    """The greeting waits for the header, and the header for nothing."""
    server = users(make_server)
    with socket.create_connection((server.host, server.submission), 20, source_address=("127.0.0.9", 0)) as tcp:
        tcp.settimeout(0.3)
        with pytest.raises(TimeoutError):
            tcp.recv(1)
        tcp.settimeout(20)
        tcp.sendall(header("192.0.2.77")[:20])
        tcp.sendall(header("192.0.2.77")[20:] + b"EHLO laptop\r\n")
        assert tcp.recv(1000).startswith(b"220 ")
    assert server.stop() == 0


def test_who_is_not_named_is_not_believed(make_server):
    """On 465 it is no TLS, on 587 it is no SMTP, and the log says why."""
    server = users(make_server)
    assert last_words(server, server.submissions, header("192.0.2.77"), "127.0.0.10") == b""
    assert last_words(server, server.submission, header("192.0.2.77") + b"EHLO laptop\r\n", "127.0.9.1") in (
        b"", b"220 mail.example.org ESMTP\r\n")
    assert last_words(server, server.submissions, b"PROXY TCP4 192.0.2.77 127.0.0.1 1 465\r\n", "127.0.0.1") == b""
    eventually(lambda: len(server.events("proxy-refused")) == 3, "three refusals")
    for event, peer in zip(server.events("proxy-refused"), ("127.0.0.10", "127.0.9.1", "127.0.0.1")):
        assert event["what"] == "PROXY header from an address that is not in `proxy`" and event["peer"] == peer
        assert "add its address to `proxy`" in event["change"]
    assert "192.0.2.77" not in server.log.read_text()
    assert server.stop() == 0


@pytest.mark.parametrize("octets, what", [
    (b"\x16\x03\x01\x02\x00\x01", "no PROXY header from an address in `proxy`"),
    (b"EHLO laptop\r\n", "no PROXY header from an address in `proxy`"),
    (b"PROXY TCP4 192.0.2.77 127.0.0.1 1 465\r\n", "PROXY header of version 1"),
    (header("192.0.2.77", command=0x23), "PROXY header malformed: its command is neither LOCAL nor PROXY"),
    (header("192.0.2.77", checksum=True)[:-1] + b"\x00", "PROXY header malformed: its CRC32c is wrong"),
])
def test_a_proxy_without_a_good_header_is_refused(make_server, octets, what):
    server = users(make_server)
    assert last_words(server, server.submissions, octets) == b""
    event = server.await_event("proxy-refused", what=what)
    assert event["change"] and event["peer"] == "127.0.0.9"
    assert last_words(server, server.submission, octets).startswith(b"421 mail.example.org ")
    assert server.stop() == 0


def test_everybody_is_no_proxy(make_server):
    server = make_server(config=ONE + 'proxy = { "0.0.0.0/0" }\n')
    done = postern("check", *server.options)
    assert done.returncode != 0 and "anybody could then say to be anybody" in done.stderr + done.stdout


def test_a_new_certificate_is_proved_from_a_proxys_address(make_server, tmp_path):
    """HAProxy on the same machine: our own look at what is served comes from 127.0.0.1 as well, and says LOCAL."""
    chain, key = make_certificate(tmp_path, "mail.example.org")
    server = make_server(config=ONE + f'proxy = {{ "127.0.0.1" }}\ncertificate {{ chain = "{chain}" key = "{key}" }}\n').start()
    make_certificate(tmp_path, "mail.example.org")
    server.hup()
    assert server.await_event("certificate-proved")["connections"] == "2"
    assert not server.events("proxy-refused")
    assert server.stop() == 0


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend implicit
    bind 127.0.0.1:{implicit}
    default_backend implicit
backend implicit
    source 127.0.0.9
    server gate 127.0.0.1:{submissions} send-proxy-v2 proxy-v2-options crc32c check check-send-proxy inter 200ms
frontend clear
    bind 127.0.0.1:{clear}
    default_backend clear
backend clear
    source 127.0.0.9
    server gate 127.0.0.1:{submission} {kind}
"""


@pytest.fixture
def haproxy(tmp_path):
    running = []

    def start(server, kind="send-proxy-v2-ssl"):
        """(implicit, clear): its ports."""
        ports = {"implicit": free_port(), "clear": free_port()}
        config = tmp_path / "haproxy.cfg"
        config.write_text(HAPROXY.format(submissions=server.submissions, submission=server.submission, kind=kind, **ports))
        running.append(subprocess.Popen(["haproxy", "-db", "-q", "-f", str(config)], stdin=subprocess.DEVNULL))

        def listens():
            try:
                socket.create_connection(("127.0.0.1", ports["clear"]), 1).close()
                return True
            except OSError:
                return False

        eventually(listens, "haproxy")
        return ports["implicit"], ports["clear"]

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed; tools/need test installs it")
def test_haproxy(make_server, haproxy):
    """Version 2 with CRC32c and with the TLVs of its SSL form; its health checks (LOCAL) are no news."""
    server = users(make_server)
    implicit, clear = haproxy(server)
    context = ssl.create_default_context(cafile=str(server.ca))
    context.check_hostname = False
    submit(server, smtplib.SMTP_SSL("127.0.0.1", implicit, context=context, timeout=20, source_address=("127.0.0.77", 0)))
    smtp = smtplib.SMTP("127.0.0.1", clear, timeout=20, source_address=("127.0.0.78", 0))
    smtp.starttls(context=context)
    submit(server, smtp)
    server.await_mails(2)
    assert sorted(e["peer"] for e in server.events("accepted")) == ["127.0.0.77", "127.0.0.78"]
    assert not server.events("proxy-refused") and not server.events("handshake-failed") and not server.events("client-misconfigured")
    assert server.stop() == 0


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed; tools/need test installs it")
def test_haproxy_with_version_1(make_server, haproxy):
    """Its client is told, and the log says what to write instead."""
    server = users(make_server)
    _, clear = haproxy(server, "send-proxy")
    with socket.create_connection(("127.0.0.1", clear), 20) as tcp:
        assert tcp.recv(1000).startswith(b"421 ")
    assert "send-proxy-v2 instead of send-proxy" in server.await_event("proxy-refused", what="PROXY header of version 1")["change"]
    assert server.stop() == 0


def test_a_proxy_for_itself_has_a_ceiling_too(make_server):
    """sessions-max is for all sessions, counted by network or not; there is room again when one has gone."""
    one = make_server(config=NAMED + "sessions-max = 2\n").start()

    def knock():
        tcp = socket.create_connection((one.host, one.submission), 20, ("127.0.0.9", 0))
        tcp.sendall(LOCAL)
        return tcp, tcp.recv(500)

    (first, greeting), (second, another) = knock(), knock()
    assert greeting.startswith(b"220 ") and another.startswith(b"220 ")
    third, refusal = knock()
    assert refusal == b"421 mail.example.org too many connections, try again later\r\n"
    assert third.recv(500) == b""
    assert one.await_event("crowded", peer="127.0.0.9")["change"] == "raise sessions-max or fronts"
    first.close()
    eventually(lambda: knock()[1].startswith(b"220 "), "a free place")
    for tcp in (second, third):
        tcp.close()
    assert one.stop() == 0
