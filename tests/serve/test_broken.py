"""A taken-over front: root steals its channels and says on them what no front may say. It is ended, and everything else goes on."""
import ctypes
import os
import pathlib
import re
import signal
import smtplib
import socket
import struct
import time

import pytest
from postern_server import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may take another process's descriptors")
SIGN_ASK, AUTH_SENDER, SPOOL_MAIL, SPOOL_COMMIT, RELAY_RESULT = 30, 43, 60, 63, 90
MASTER_FD = 3


def frame(kind, session=77, body=b""):
    return struct.pack("<IHHI", len(body), kind, 0, session) + body


def stolen(pid):
    """The process's private channels but the one to the master, as sockets of ours, oldest first."""
    libc = ctypes.CDLL(None, use_errno=True)
    channels = []
    of_process = os.pidfd_open(pid)
    try:
        for fd in sorted(int(p.name) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()):
            try:
                if fd <= MASTER_FD or not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
                    continue
            except FileNotFoundError:
                continue
            copy = libc.syscall(438, of_process, fd, 0)         # pidfd_getfd
            if copy == -1:
                pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            taken = socket.socket(fileno=copy)
            if taken.family == socket.AF_UNIX:
                channels.append(taken)
            else:
                taken.close()
    finally:
        os.close(of_process)
    return channels


def login(one):
    client = smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="laptop.example.org")
    client.login(one.login, one.key)
    return client


def sessions_on_both_fronts(one):
    """A logged-in session on each front: {front: client}."""
    found = {}

    def another():
        client = login(one)
        port = client.sock.getsockname()[1], client.sock.getpeername()[1]
        for name, pid in one.children().items():
            if not name.startswith("front") or name in found:
                continue
            targets = " ".join(os.readlink(p) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir())
            inodes = set(re.findall(r"socket:\[(\d+)\]", targets))
            for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                part = line.split()
                if part[9] in inodes and part[2].endswith(f":{port[0]:04X}") and part[1].endswith(f":{port[1]:04X}"):
                    found[name] = client
                    return len(found) == 2
        client.close()
        return False

    eventually(another, "a session on each of two fronts", patience=60)
    return found


def mail_of(login):
    """A MAIL as a front would say it, of somebody who has not logged in: 3_auth has given no warrant for it. regress/0382"""
    now = int(time.time() * 1000)

    def text(s=b""):
        return struct.pack("<I", len(s)) + s

    return (struct.pack("<QQ", now << 18, now) + text(login + b"@mail.example.org") + text(login) + text(b"192.0.2.1") + text(b"laptop") +
            text(b"TLSv1.3") + struct.pack("<II", 0, 0) + text() + text() + struct.pack("<QQ", 0, 0) + text() +
            struct.pack("<QIIQQI", 0, 0, 0, 0x1234567812345678, time.monotonic_ns() // 1000000, 1))


WRONG = {
    "garbage": b"\xff" * 64,
    "sign-for-another-protocol": frame(SIGN_ASK, 1, b"no question of ours"),
    "sender-before-login": frame(AUTH_SENDER, 77, b"boss@mail.example.org"),
    "mail-of-who-has-not-logged-in": frame(SPOOL_MAIL, 77, mail_of(b"boss")),
    "commit-without-mail": frame(SPOOL_COMMIT, 77, bytes(16)),
    "answer-of-the-relay": frame(RELAY_RESULT, 77),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_front_that_breaks_the_order_is_ended_and_nobody_else(make_server, words):
    one = make_server(config="fronts = 2\n").start()
    one.add_key()
    kept = sessions_on_both_fronts(one)
    accusers = set()
    # Each of its three channels in turn, each time of the front that serves now.
    for turn in range(3):
        before = one.children()
        channels = stolen(before["front:0"])
        assert len(channels) == 3
        channels[turn].sendall(WRONG[words])
        broken = one.await_event("child-broken", turn + 1)
        assert (broken["child"], broken["slot"]) == ("front", "0")
        accusers.add(broken["by"])
        one.await_event("child-ready", turn + 1, child="front")
        after = eventually(lambda: len(one.children()) == len(before) and one.children(), "all children")
        assert {name for name in before if before[name] != after[name]} == {"front:0"}
        for taken in channels:
            taken.close()
        # Whoever was with the other front is still in, and mail goes through it.
        letter = f"From: someone@{one.hostname}\r\nSubject: {turn}\r\n\r\nhere\r\n"
        assert not kept["front:1"].sendmail(f"someone@{one.hostname}", ["friend@example.net"], letter)
    assert accusers == {"signer", "auth", "spool"}
    one.await_mails(3)
    fresh = login(one)
    fresh.quit()
    kept["front:1"].quit()
    kept["front:0"].close()
    assert one.stop() == 0


def test_the_successor_is_not_blamed(make_server):
    """regress/0135: 3_auth stands still while a front says nonsense and dies, and looks when the next one is at work already."""
    one = make_server(config="fronts = 1\n").start()
    one.add_key()
    before = one.children()
    channels = stolen(before["front:0"])
    os.kill(before["auth:0"], signal.SIGSTOP)
    channels[-1].sendall(WRONG["garbage"])
    os.kill(before["front:0"], signal.SIGKILL)
    for taken in channels:
        taken.close()
    one.await_event("child-ready", child="front")
    successor = one.children()["front:0"]
    os.kill(before["auth:0"], signal.SIGCONT)
    one.await_event("front-broken", proc="auth:0", patience=10)
    with login(one) as client:
        assert client.noop()[0] == 250
    assert one.children() == {**before, "front:0": successor}
    assert not one.events("child-broken")
    assert one.stop() == 0


def test_a_relay_that_breaks_the_order_is_ended(make_server):
    one = make_server(config="fronts = 1\n").start()
    one.add_key()
    before = one.children()
    with login(one) as client:
        channels = stolen(before["relay:0"])
        assert len(channels) == 2       # to 4_spool, and to 2_signer
        channels[0].sendall(frame(RELAY_RESULT, 12345, b"\0" * 40))
        broken = one.await_event("child-broken")
        assert (broken["child"], broken["by"]) == ("relay", "spool")
        one.await_event("child-ready", child="relay")
        for channel in channels:
            channel.close()
        client.sendmail(f"someone@{one.hostname}", ["friend@example.net"], f"From: someone@{one.hostname}\r\n\r\ny\r\n")
    one.await_mails(1)
    after = one.children()
    assert {name for name in before if before[name] != after[name]} == {"relay:0"}
    assert one.stop() == 0


def test_a_front_accuses_nobody(make_server):
    """On its own channel to the master it may say what it likes about others: it is not believed."""
    one = make_server(config="fronts = 2\n").start()
    before = one.children()
    libc = ctypes.CDLL(None, use_errno=True)
    of_process = os.pidfd_open(before["front:0"])
    copy = libc.syscall(438, of_process, MASTER_FD, 0)
    os.close(of_process)
    if copy == -1:
        pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    with socket.socket(fileno=copy) as taken:
        for role in range(7):
            for slot in range(2):
                taken.sendall(frame(22, 0, struct.pack("<III", role, slot, 1)))     # CHILD_PEER_BROKEN
        login_works = one.add_key()
        assert login_works
        with login(one) as client:
            assert client.noop()[0] == 250
    assert one.children() == before
    assert not one.events("child-broken")
    assert one.stop() == 0
