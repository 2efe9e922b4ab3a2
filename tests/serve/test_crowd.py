"""Floods of connections, half-open handshakes and drips: who is sent away, in which words, and that an honest client gets through.

F2, F3: what a stranger can make grow or wait has a ceiling; docs/limits.md. Loopback has as many addresses as a flood wants.
"""
import base64
import pathlib
import re
import smtplib
import socket
import time

import pytest
from postern_server import eventually

ONE = "fronts = 1\n"
GREETING = b"220 mail.example.org "


OPEN = []


def connect(one, port, source="127.0.0.1"):
    tcp = socket.create_connection((one.host, port), 20, (source, 0))
    OPEN.append(tcp)
    return tcp


def finish(one):
    """A server that drains waits for its clients' ends."""
    for end in OPEN:
        end.close()
    OPEN.clear()
    assert one.stop() == 0


def heard(tcp, patience=20):
    """What comes until a line is whole; b"" at the end, None when nothing comes."""
    tcp.settimeout(patience)
    try:
        return tcp.recv(500)
    except socket.timeout:
        return None
    except ConnectionResetError:
        return b""


def alive(tcp):
    """Has the server not closed it?"""
    tcp.setblocking(False)
    try:
        return tcp.recv(500) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def log_in(one, source):
    """An honest client: TLS, EHLO, AUTH; the session."""
    smtp = smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=20, source_address=(source, 0))
    assert smtp.login(one.login, one.key)[0] == 235
    OPEN.append(smtp)
    return smtp


def send_mail(one, smtp):
    sender = f"someone@{one.hostname}"
    return smtp.sendmail(sender, ["bob@example.net"], f"From: {sender}\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nhello\r\n")


def test_sessions_of_one_address(make_server):
    one = make_server(config=ONE + "sessions-per-address = 3\n").start()
    one.add_key()
    inside = [log_in(one, "127.0.0.2") for _ in range(2)] + [connect(one, one.submission, "127.0.0.2")]
    assert heard(inside[2]).startswith(GREETING)
    clear, implicit = connect(one, one.submission, "127.0.0.2"), connect(one, one.submissions, "127.0.0.2")
    assert heard(clear) == b"421 mail.example.org too many connections from 127.0.0.2, try again later\r\n"
    assert heard(clear) == b"" and heard(implicit) == b""
    line = one.await_event("crowded")
    assert line["peer"] == "127.0.0.2" and "sessions-per-address" in line["change"]
    # Nobody else is concerned, and it holds for a moment, not for ever.
    assert heard(connect(one, one.submission, "127.0.0.3")).startswith(GREETING)
    inside[0].quit()
    eventually(lambda: heard(connect(one, one.submission, "127.0.0.2")).startswith(GREETING), "a free place")
    assert inside[1].noop()[0] == 250
    finish(one)


def test_a_nat_with_an_office_behind_it(make_server):
    """With the defaults sixty people behind one address are all in at once."""
    one = make_server(config=ONE).start()
    one.add_key()
    people = [log_in(one, "127.0.0.9") for _ in range(60)]
    assert all(smtp.noop()[0] == 250 for smtp in people)
    assert send_mail(one, people[-1]) == {}
    assert not one.events("crowded")
    finish(one)


def test_strangers_of_one_address(make_server):
    """Those who have authenticated do not count, and who has not makes room for a neighbour after ten seconds."""
    one = make_server(config=ONE + "unauthenticated-per-address = 4\n").start()
    one.add_key()
    known = [log_in(one, "127.0.0.4") for _ in range(6)]
    begun = time.monotonic()
    strangers = [connect(one, one.submission, "127.0.0.4") for _ in range(4)]
    assert all(heard(tcp).startswith(GREETING) for tcp in strangers)
    assert heard(connect(one, one.submission, "127.0.0.4")).startswith(b"421 ")
    assert "unauthenticated-per-address" in one.await_event("crowded")["change"]
    assert heard(connect(one, one.submissions, "127.0.0.4")) == b""
    time.sleep(max(0, 10.5 - (time.monotonic() - begun)))
    honest = log_in(one, "127.0.0.4")
    assert send_mail(one, honest) == {}
    assert heard(strangers[0]).startswith(b"421 4.7.0 too many connections from your network")
    assert all(alive(tcp) for tcp in strangers[1:])
    assert all(smtp.noop()[0] == 250 for smtp in known)
    finish(one)


def test_half_open_handshakes_push_out_themselves(make_server):
    """Six times as many half-open handshakes as there are places, from a few addresses: others come in at once."""
    one = make_server(config=ONE + "unauthenticated-max = 50\nsessions-max = 400\n").start()
    one.add_key()
    early = connect(one, one.submission, "127.0.1.1")
    assert heard(early).startswith(GREETING)
    flood, slow = [], 0.0
    for turn in range(10):
        for n in range(30):
            tcp = connect(one, one.submissions, f"127.0.2.{n % 3 + 1}")
            tcp.sendall(b"\x16\x03\x01\x02\x00\x01")
            flood.append(tcp)
        begun = time.monotonic()
        smtp = log_in(one, f"127.0.1.{turn + 2}")
        assert send_mail(one, smtp) == {}
        smtp.quit()
        slow = max(slow, time.monotonic() - begun)
    assert slow < 5, "an honest client waited"
    assert sum(map(alive, flood)) <= 50
    assert one.events("crowded")
    # A single one from elsewhere is no crowd.
    early.sendall(b"EHLO laptop\r\n")
    assert heard(early).startswith(b"250-")
    finish(one)


def test_a_flood_from_everywhere(make_server):
    """As many addresses as connections: the oldest stranger goes, and who comes has the time to log in."""
    one = make_server(config=ONE + "unauthenticated-max = 100\nsessions-max = 400\n").start()
    one.add_key()
    flood = [connect(one, one.submissions, f"127.1.{n // 200}.{n % 200 + 1}") for n in range(100)]
    time.sleep(1.1)
    for turn in range(3):
        smtp = log_in(one, f"127.0.1.{turn + 1}")
        assert send_mail(one, smtp) == {}
        flood.append(connect(one, one.submissions, f"127.2.0.{turn + 1}"))
    # The first made room for the first honest client, whose place as a stranger the next of the flood took, and so on.
    eventually(lambda: not alive(flood[2]), "the end of the third")
    assert not alive(flood[0]) and not alive(flood[1])
    assert all(alive(tcp) for tcp in flood[3:])
    finish(one)


@pytest.mark.parametrize("place", ["clear", "tls"])
def test_nothing_buys_time_before_auth(make_server, place):
    """NOOP after NOOP: the time from the connection to AUTH is what auth-deadline says."""
    one = make_server(config=ONE + 'auth-deadline = "6 s"\n').start()
    one.add_key()
    known = log_in(one, "127.0.0.1")
    begun = time.monotonic()
    tcp = connect(one, one.submission if place == "clear" else one.submissions)
    talk = tcp if place == "clear" else one.context().wrap_socket(tcp, server_hostname="localhost")
    OPEN.append(talk)
    assert heard(talk).startswith(GREETING)
    answer = b""
    while time.monotonic() - begun < 20 and not answer.startswith(b"421"):
        talk.sendall(b"NOOP\r\n")
        answer = heard(talk)
        time.sleep(0.2)
    assert answer.startswith(b"421 4.7.0 not authenticated in time")
    assert 5 <= time.monotonic() - begun < 12
    assert "auth-deadline" in one.await_event("auth-late")["change"]
    assert known.noop()[0] == 250
    finish(one)


def test_a_message_that_drips(make_server):
    """One octet now and then is not a message under way; whoever is slow but not that slow is waited for."""
    one = make_server(config=ONE + 'command-timeout = "5 s"\ncontent-rate-min = "6 KiB"\n').start()
    one.add_key()
    drip, steady = log_in(one, "127.0.0.1"), log_in(one, "127.0.0.1")
    sender = f"someone@{one.hostname}"
    for smtp in (drip, steady):
        assert smtp.mail(sender)[0] == 250 and smtp.rcpt("bob@example.net")[0] == 250
        assert smtp.docmd("DATA")[0] == 354
        smtp.send(f"From: {sender}\r\n\r\n")
    begun, ended = time.monotonic(), None
    while time.monotonic() - begun < 14:
        steady.send("x" * 78 + "\r\n")
        if ended is None:
            try:
                drip.send("x")
                drip.sock.settimeout(0.01)
                got = drip.sock.recv(500)
                assert got.startswith(b"421 4.4.2 the message comes too slowly")
                ended = time.monotonic() - begun
            except TimeoutError:
                pass
        time.sleep(0.1)
    assert ended is not None and 4 < ended < 9
    steady.send(".\r\n")
    assert steady.getreply()[0] == 250
    one.await_mails()
    finish(one)


def test_replies_that_nobody_takes(make_server):
    """A client that asks and does not listen is not read any more, and is ended when it takes nothing for command-timeout."""
    one = make_server(config=ONE + 'rcpt-max = 16000\ncommand-timeout = "5 s"\n').start()
    one.add_key()
    # A small window, set before the connection is made.
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    tcp.settimeout(20)
    tcp.connect((one.host, one.submissions))
    talk = one.context().wrap_socket(tcp, server_hostname="localhost")
    plain = base64.b64encode(f"\0{one.login}\0{one.key}".encode()).decode()
    for line in ("", "EHLO laptop", f"AUTH PLAIN {plain}", f"MAIL FROM:<someone@{one.hostname}>"):
        if line:
            talk.sendall(f"{line}\r\n".encode())
        assert heard(talk)[:1] == b"2"
    talk.settimeout(2)
    sent, begun = 0, time.monotonic()
    with pytest.raises(OSError):
        while sent < 900000:
            if sent % 15000 == 14000:
                talk.sendall(f"RSET\r\nMAIL FROM:<someone@{one.hostname}>\r\n".encode())
            talk.sendall(b"RCPT TO:<bob@example.net>\r\n" * 1000)
            sent += 1000
    assert sent < 900000, "it was read for ever"
    ours = re.compile(rf":{one.submissions:04X} [0-9A-F]+:{talk.getsockname()[1]:04X} 01")

    def ended():
        return ours.search(pathlib.Path("/proc/net/tcp").read_text(encoding="ascii")) is None

    assert not ended()
    eventually(ended, "the end of the connection", 15)
    assert time.monotonic() - begun > 4
    finish(one)


def test_a_reload_makes_room(make_server):
    """sessions-max and the ceilings beside it may grow while everybody is connected; who is in stays counted."""
    one = make_server(config=ONE + "sessions-max = 4\nsessions-per-address = 3\n").start()
    one.add_key()
    inside = [log_in(one, "127.0.0.2") for _ in range(2)] + [connect(one, one.submission, "127.0.0.2")]
    assert heard(inside[2]).startswith(GREETING)
    one.write_config(ONE + "sessions-max = 500\nsessions-per-address = 4\n")
    one.hup()
    one.await_event("reloaded")

    def one_more():
        tcp = connect(one, one.submission, "127.0.0.2")
        return heard(tcp).startswith(GREETING) and tcp

    inside.append(eventually(one_more, "room for a fourth"))
    assert heard(connect(one, one.submission, "127.0.0.2")).startswith(b"421 ")
    assert inside[0].noop()[0] == 250
    for n in range(30):
        inside.append(connect(one, one.submission, f"127.0.3.{n + 1}"))
        assert heard(inside[-1]).startswith(GREETING)
    inside[0].quit()
    inside.append(eventually(one_more, "the place of who left"))
    finish(one)
