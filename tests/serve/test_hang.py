"""Processes that live but do not work: each is noticed by 0_master within a bounded time, ended, and replaced."""
import os
import signal
import socket
import ssl
import time

from postern_server import eventually


def shakes(one):
    try:
        with socket.create_connection((one.host, one.submissions), 10) as tcp, \
                one.context().wrap_socket(tcp, server_hostname="localhost") as tls:
            return tls.recv(200).startswith(b"220 ")
    except (ssl.SSLError, OSError):
        return False


def test_signer_that_hangs_is_replaced(make_server):
    one = make_server(config="").start()
    with socket.create_connection((one.host, one.submissions), 10) as tcp, \
            one.context().wrap_socket(tcp, server_hostname="localhost") as tls:
        assert tls.recv(200).startswith(b"220 ")
        hung = one.children()["signer:0"]
        os.kill(hung, signal.SIGSTOP)
        begun = time.monotonic()
        # One handshake waits, no longer than os/ask.h says, the next ones are refused at once.
        assert not shakes(one)
        # Whoever is in works on.
        tls.sendall(b"EHLO laptop.example.org\r\n")
        assert b"250" in tls.recv(2000)
        said = one.await_event("child-hangs")
        assert (said["child"], said["child-pid"]) == ("signer", str(hung))
        eventually(lambda: shakes(one), "handshakes with the next signer")
        assert time.monotonic() - begun < 25
        assert one.children()["signer:0"] != hung
        tls.sendall(b"NOOP\r\n")
        assert tls.recv(200).startswith(b"250 ")
    assert len(one.events("child-hangs")) == 1
    assert one.stop() == 0


def test_others_that_hang_are_replaced(make_server):
    one = make_server(config="fronts = 1\n").start()
    before = one.children()
    for role in ("front:0", "auth:0"):
        os.kill(before[role], signal.SIGSTOP)
    assert {one.await_event("child-hangs", n, patience=40)["child"] for n in (1, 2)} == {"front", "auth"}
    one.await_event("child-ready", 2)
    eventually(lambda: shakes(one), "a greeting")
    after = one.children()
    assert {role for role in before if before[role] != after[role]} == {"front:0", "auth:0"}
    assert one.stop() == 0


def test_a_server_that_was_stopped_as_a_whole_ends_nobody(make_server):
    one = make_server(config="").start()
    before = one.children()
    everybody = [one.process.pid, *before.values()]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(12)
    # The master first: its clock has gone on, and nobody has answered yet.
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3 if pid == one.process.pid else 0)
    eventually(lambda: shakes(one), "a greeting")
    time.sleep(3)
    assert one.children() == before
    assert not one.events("child-hangs")
    assert one.stop() == 0
