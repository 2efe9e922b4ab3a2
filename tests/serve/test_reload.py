"""Changing while running: SIGHUP, certificates, processes that die."""
import os
import signal
import socket
import ssl

import pytest
from postern_server import eventually, free_port, make_certificate


def greeted(server, port=None):
    """The greeting of a verified TLS session, on any front."""
    with socket.create_connection((server.host, port or server.submissions), 10) as tcp, \
            server.context().wrap_socket(tcp, server_hostname="localhost") as tls:
        return tls.recv(200)


def test_bad_configuration_leaves_the_old_one(make_server):
    one = make_server(config="").start()
    one.write_config('expire = "5 d"\nsize-max = "nonsense"\n')
    one.hup()
    refused = one.await_event("reload-refused")
    assert f'{one.config}:7: key "size-max": "nonsense" is not a size' in refused["why"]
    assert greeted(one).startswith(b"220 mail.example.org")
    one.write_config('expire = "4 d"\n')
    one.hup()
    one.await_event("reloaded")
    assert one.stop() == 0


def test_good_configuration_drops_no_session(make_server):
    one = make_server(config="").start()
    with socket.create_connection((one.host, one.submissions), 10) as tcp, \
            one.context().wrap_socket(tcp, server_hostname="localhost") as tls:
        assert tls.recv(200).startswith(b"220 ")
        tls.sendall(b"EHLO laptop.example.org\r\n")
        assert b"SIZE 52428800" in tls.recv(2000)
        one.write_config('size-max = "10 MiB"\n')
        one.hup()
        one.await_event("reloaded")
        tls.sendall(b"NOOP\r\n")
        assert tls.recv(200).startswith(b"250 ")

    def new_size():
        with socket.create_connection((one.host, one.submissions), 10) as tcp, \
                one.context().wrap_socket(tcp, server_hostname="localhost") as tls:
            tls.recv(200)
            tls.sendall(b"EHLO laptop.example.org\r\n")
            return b"SIZE 10485760" in tls.recv(2000)

    # Each front takes it in its own time, a moment later.
    eventually(new_size, "the new size")
    one.await_event("certificate-proved")
    assert one.stop() == 0


def test_listeners_come_and_go(make_server):
    one = make_server(config="").start()
    old, one.submissions = one.submissions, free_port()
    one.write_config()
    one.hup()
    one.await_event("reloaded")
    assert greeted(one).startswith(b"220 ")

    def refused():
        try:
            socket.create_connection((one.host, old), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    eventually(refused, "the old port to be closed")
    assert one.stop() == 0


def test_listener_that_cannot_be_bound_leaves_the_old_ones(make_server):
    one = make_server(config="").start()
    port = one.submissions
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one.submissions = taken.getsockname()[1]
        one.write_config()
        one.hup()
        assert f"port {one.submissions}: Address already in use" in one.await_event("reload-refused")["why"]
    assert greeted(one, port).startswith(b"220 ")
    assert one.stop() == 0


def test_what_needs_a_restart_is_said(make_server, tmp_path):
    one = make_server(config="").start()
    one.write_config(f'spool-dir = "{tmp_path}/elsewhere"\n')
    one.hup()
    assert one.await_event("reload-kept")["key"] == "spool-dir"
    one.await_event("reloaded")
    assert one.stop() == 0


def test_changed_certificate_is_taken_up_and_proved(make_server, tmp_path):
    chain, key = make_certificate(tmp_path, "mail.example.org", "live")
    one = make_server(config=f'certificate {{ chain = "{chain}" key = "{key}" }}\n').start()
    before = one.served_leaf()
    # Half of a change is no change: the old one goes on, and that is said.
    next_chain, next_key = make_certificate(tmp_path, "mail.example.org", "next")
    os.replace(next_chain, chain)
    assert str(chain) in one.await_event("certificate-refused")["why"]
    assert one.served_leaf() == before
    os.replace(next_key, key)
    one.await_event("certificate-taken")
    one.await_event("certificate-proved")
    assert one.served_leaf() == ssl.PEM_cert_to_DER_cert(chain.read_text()) != before
    assert one.stop() == 0


@pytest.mark.parametrize("role", ["front:0", "auth:0", "spool:0", "relay:0"])
def test_what_dies_is_started_again(make_server, role):
    one = make_server().start()
    before = one.children()
    os.kill(before[role], signal.SIGKILL)
    ended = one.await_event("child-ended")
    name, slot = role.split(":")
    assert (ended["child"], ended["slot"], ended["signal"]) == (name, slot, "Killed")
    one.await_event("child-ready", child=name)
    after = one.children()
    assert set(after) == set(before)
    assert {r for r in before if before[r] != after[r]} == {role}
    assert greeted(one).startswith(b"220 ")
    assert one.stop() == 0


def test_certificate_that_ends_soon_is_warned_of(make_server, tmp_path):
    chain, key = make_certificate(tmp_path, "mail.example.org", days=10)
    one = make_server(config=f'certificate {{ chain = "{chain}" key = "{key}" }}\n').start()
    assert one.await_event("certificate-ends")["days"] in ("9", "10")
    assert one.stop() == 0


def test_back_off_doubles(make_server):
    one = make_server().start()
    for count in range(1, 4):
        os.kill(one.children()["relay:0"], signal.SIGKILL)
        one.await_event("child-ended", count)
        one.await_event("child-ready", count)
    assert one.stop() == 0
