"""Who speaks the wrong protocol is told so in his own, and the operator in the log. 8314-1 urd-2 urd-4 tls-2 tls-8 6409-11 5321-24."""
import contextlib
import os
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import time

import pytest
from postern_server import eventually

ONE = "fronts = 1\n"
NEEDED = b"554 5.7.0 TLS is needed here from the first octet: choose SSL/TLS, or port 587 with STARTTLS\r\n"


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """One server for all that are turned away here; a line of each kind is enough, so that the limit does not bite."""
    from postern_server import Server
    one = Server(tmp_path_factory.mktemp("gate"), config=ONE).start()
    yield one
    assert one.stop() == 0


def exchange(server, port, octets):
    """Send these, take everything until the end."""
    with socket.create_connection((server.host, port), 20) as tcp:
        tcp.sendall(octets)
        got = b""
        while piece := tcp.recv(65536):
            got += piece
        return got


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shake(server, context, port=None, name=None):
    with socket.create_connection((server.host, port or server.submissions), 20) as tcp, \
            context.wrap_socket(tcp, server_hostname=name or server.hostname) as tls:
        return tls.recv(1000)


def misconfigured(server, what, change, service="submissions"):
    event = server.await_event("client-misconfigured", what=what)
    assert change in event["change"] and event["peer"] == "127.0.0.1" and event["service"] == service


# ---- plaintext on 465 ----

def test_smtp_in_clear(gate):
    """A mail program shows its user what to choose, and hears nothing else."""
    assert exchange(gate, gate.submissions, b"EHLO laptop\r\nMAIL FROM:<a@example.org>\r\n") == NEEDED
    assert exchange(gate, gate.submissions, b"helo laptop\r\n") == NEEDED
    misconfigured(gate, "plaintext SMTP on the submissions port", "set the connection security to SSL/TLS")


def test_what_a_mail_program_in_clear_shows(gate):
    """smtplib waits for a greeting, so it would wait until we lose patience; one that speaks first hears it at once."""
    smtp = smtplib.SMTP(timeout=20)
    smtp.sock = smtp._get_socket(gate.host, gate.submissions, 20)
    smtp.putcmd("EHLO", "laptop")
    code, words = smtp.getreply()
    assert code == 554 and b"choose SSL/TLS" in words


def test_http(gate):
    done = subprocess.run(["curl", "-sS", "-i", f"http://{gate.host}:{gate.submissions}/"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("HTTP/1.1 400 Bad Request") and "Connection: close" in done.stdout
    assert "This is a mail submission port" in done.stdout
    misconfigured(gate, "HTTP on the submissions port", "this is a mail port")


def test_urd(gate):
    """A URD request that no router has taken."""
    done = subprocess.run(["curl", "-sS", f"http://{gate.host}:{gate.submissions}/urd?group=232.1.1.1&source=192.0.2.1&"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert "no URD router has taken this request" in done.stdout
    misconfigured(gate, "a URD request (group and source of a multicast) on the submissions port", "switch URD on there")


def test_something_else(gate):
    """What has no answer in its own protocol gets none."""
    assert exchange(gate, gate.submissions, b"SSH-2.0-OpenSSH_9.2\r\n") == b""
    misconfigured(gate, "something that is not TLS on the submissions port", "set the connection security to SSL/TLS")


def test_who_only_knocks_is_no_news(gate):
    socket.create_connection((gate.host, gate.submissions), 20).close()
    assert not gate.events("client-misconfigured", what="nothing came, not even a TLS handshake")


# ---- old TLS, and TLS that is not liked ----

def hello(version):
    """A ClientHello of SSL 3.0, TLS 1.0 or TLS 1.1, without extensions, as clients of that time sent it."""
    suites = bytes.fromhex("c014c00a0039003800350016c013c0090033002f000a0005000400ff")
    body = bytes([3, version]) + bytes(range(32)) + b"\0" + len(suites).to_bytes(2, "big") + suites + b"\x01\0"
    return bytes([22, 3, 0]) + (len(body) + 4).to_bytes(2, "big") + b"\x01" + len(body).to_bytes(3, "big") + body


@pytest.mark.parametrize("version, name, alert", [(0, "SSL 3.0", 40), (1, "TLS 1.0", 70), (2, "TLS 1.1", 70)])
def test_old_tls(gate, version, name, alert):
    """tls-2: the alert is protocol_version (SSL 3.0 had only handshake_failure), the log says who is old."""
    answer = exchange(gate, gate.submissions, hello(version))
    assert answer == bytes([21, 3, version, 0, 2, 2, alert])
    event = gate.await_event("handshake-failed", why=f"{name} offered; 1.2 is the least that is spoken here")
    assert "TLS 1.2 or later" in event["change"] and event["peer"] == "127.0.0.1"


def test_openssl_of_today_speaking_tls_1_1(gate):
    done = subprocess.run(["openssl", "s_client", "-connect", f"{gate.host}:{gate.submissions}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    assert "alert protocol version" in done.stderr


def test_ssl_2(gate):
    """RFC 6176: its hello has a form of its own; the answer is an alert all the same, which is what such clients understood."""
    assert exchange(gate, gate.submissions, bytes.fromhex("802e010002001500000010") + bytes(37)) == b"\x15\x03\x01\x00\x02\x02\x46"
    misconfigured(gate, "SSL 2.0 hello on the submissions port", "TLS 1.2 or later")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_trusts_no_ca(make_server, version):
    # A server of its own: lines of this kind are limited in number, and others here cause them too.
    gate, context = make_server(config=ONE).start(), ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(gate, context)
    event = gate.await_event("handshake-failed", why="client trusts no CA of ours (alert unknown_ca)")
    assert "`certificate`" in event["change"]
    assert gate.stop() == 0


def test_an_alert_that_a_reset_follows_is_read(make_server):
    """Regress 0221: whoever does not trust us says so and hangs up at once; both may be there before the front looks."""
    gate = make_server(config=ONE).start()
    front = gate.children()["front:0"]
    to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(to_us, to_them, server_hostname=gate.hostname)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection((gate.host, gate.submissions), 20) as tcp:
        tcp.sendall(to_them.read())
        with pytest.raises(ssl.SSLCertVerificationError):
            while True:
                to_us.write(tcp.recv(65536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
        os.kill(front, signal.SIGSTOP)
        tcp.sendall(to_them.read())
        time.sleep(0.1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.kill(front, signal.SIGCONT)
    gate.await_event("handshake-failed", why="client trusts no CA of ours (alert unknown_ca)", patience=5)
    assert gate.stop() == 0


def test_a_client_that_uses_another_name(gate):
    with pytest.raises(ssl.SSLCertVerificationError, match="(?i)hostname mismatch"):
        shake(gate, gate.context(), name="smtp.example.org")
    event = gate.await_event("handshake-failed", why="client does not accept our certificate, mostly for its name (alert bad_certificate)")
    assert "use a name that is in our certificate" in event["change"]


def test_a_client_that_says_nothing_about_our_certificate(gate):
    """It has all of our part of the handshake and hangs up."""
    to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting().wrap_bio(to_us, to_them, server_hostname=gate.hostname)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection((gate.host, gate.submissions), 20) as tcp:
        tcp.sendall(to_them.read())
        assert tcp.recv(65536)
    event = gate.await_event("handshake-failed", why="client hung up after our part of the handshake, mostly over the certificate")
    assert "`certificate`" in event["change"]


# ---- HTTP inside TLS: ALPACA ----

def test_alpn_of_the_web_is_refused(gate):
    """RFC 7301 3.2: no_application_protocol; whoever offers none is fine."""
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises(ssl.SSLError, match="(?i)alert no application protocol"):
        shake(gate, context)
    event = gate.await_event("handshake-failed", why="client wants another protocol than SMTP (ALPN)")
    assert "ALPACA" in event["change"]
    assert shake(gate, trusting()).startswith(b"220 ")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_https_gets_no_dialogue(gate, method):
    """Our greeting, which was out already, is all it ever gets, whatever commands its body has."""
    done = subprocess.run(["curl", "-sS", "-k", "--no-alpn", "--http0.9", "-X", method, "-d", "\r\nEHLO laptop\r\nHELP\r\nQUIT\r\n",
                           f"https://{gate.host}:{gate.submissions}/"], capture_output=True, timeout=20, check=False)
    assert done.stdout in (b"", b"220 mail.example.org ESMTP\r\n"), done
    assert gate.await_event("client-misconfigured", what="HTTP inside TLS")["tls"] == "TLSv1.3"


# ---- everywhere ----

def said(server, where, octets):
    """What the server says to these octets, sent one by one at first, behind its greeting if it has said one."""
    with socket.create_connection((server.host, server.submissions if "465" in where else server.submission), 20) as tcp:
        if where == "587 behind STARTTLS":
            for line in (b"", b"EHLO laptop\r\n", b"STARTTLS\r\n"):
                tcp.sendall(line)
                assert tcp.recv(2000)[:1] == b"2"
        if "in clear" not in where:
            tcp = trusting().wrap_socket(tcp)
        greeting = tcp.recv(1000) if where in ("465 inside TLS", "587 in clear") else b""
        assert greeting[:4] in (b"", b"220 ")
        with tcp:
            for i in range(20):
                tcp.sendall(octets[i:i + 1])
            got = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                tcp.sendall(octets[20:])
                while piece := tcp.recv(65536):
                    got += piece
            return got


@pytest.mark.parametrize("where", ["465 in clear", "465 inside TLS", "587 in clear", "587 behind STARTTLS"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "VERSION-CONTROL", "PRI", "TRACK"])
def test_a_request_gets_no_dialogue_anywhere(gate, where, method):
    """Regress 0433: methods registered and not, in pieces; the commands in the body are heard nowhere."""
    line = "PRI * HTTP/2.0" if method == "PRI" else f"{method} /mail HTTP/1.1"
    got = said(gate, where, f"{line}\r\nHost: mail.example.org\r\n\r\nEHLO laptop\r\nHELP\r\nQUIT\r\n".encode())
    assert got == b"" or (where == "465 in clear" and got.startswith(b"HTTP/1.1 400 ") and b"250" not in got)
    assert (got != b"") == (where == "465 in clear" and method != "TRACK")


# ---- 587 ----

def test_tls_on_the_starttls_port(gate):
    """It reads our greeting as a record: every TLS library says so in words. No reset, so that the greeting reaches it."""
    for _ in range(3):
        with pytest.raises(ssl.SSLError, match="(?i)wrong version number|unexpected message"):
            shake(gate, trusting(), gate.submission)
    misconfigured(gate, "TLS on the STARTTLS port", "use port 465 for SSL/TLS", "submission")


def test_http_on_the_starttls_port(gate):
    got = exchange(gate, gate.submission, b"GET / HTTP/1.1\r\nHost: mail.example.org\r\n\r\nEHLO laptop\r\n")
    assert got == b"220 mail.example.org ESMTP\r\n" or got.startswith(b"HTTP/1.1 400 ")
    misconfigured(gate, "HTTP on the STARTTLS port", "this is a mail port", "submission")


# ---- the log ----

def test_a_flood_of_them_is_a_few_lines(make_server):
    """6409-11: five lines of a kind in a minute, which hide no other kind."""
    one = make_server(config=ONE).start()
    for _ in range(40):
        assert exchange(one, one.submissions, b"EHLO laptop\r\n") == NEEDED
    assert exchange(one, one.submissions, b"\x05\x01\x00") == b""
    one.await_event("client-misconfigured", what="something that is not TLS on the submissions port")
    lines = len(one.events("client-misconfigured", what="plaintext SMTP on the submissions port"))
    assert 5 <= lines <= 10          # the minute may have turned in between
    assert one.stop() == 0


def test_nothing_a_stranger_said_is_logged(make_server):
    """Whoever speaks in clear may have said a password."""
    one = make_server(config=ONE).start()
    exchange(one, one.submissions, b"AUTH PLAIN AGFsaWNlAHNlY3JldC13b3Jk\r\n")
    exchange(one, one.submissions, b"a1 LOGIN alice secret-word\r\n")
    exchange(one, one.submissions, b"GET /?password=secret-word HTTP/1.0\r\n\r\n")
    eventually(lambda: len(one.events("client-misconfigured")) == 3, "three lines")
    log = one.log.read_text()
    assert "secret-word" not in log and "AGFsaWNl" not in log and "alice" not in log
    assert one.stop() == 0
