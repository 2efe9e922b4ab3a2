"""A reload that gives a port another address or another service, on which we listen ourselves. Regress 0434."""
import contextlib
import socket
import ssl

import pytest
from postern_server import eventually, free_port, postern


def listen(server, submissions, submission):
    server.config.write_text("\n".join([
        'hostname = "mail.example.org"', "listen-submissions = { %s }" % submissions, "listen-submission = { %s }" % submission,
        f'state-dir = "{server.state}"', f'relay = "maildir:{server.maildir}"', "fronts = 2", ""]))


def reload(server, submissions, submission):
    """The event that answers it."""
    answers = ("reloaded", "reload-refused")
    before = [len(server.events(name)) for name in answers]
    listen(server, submissions, submission)
    server.hup()
    return eventually(lambda: [e for name, n in zip(answers, before) for e in server.events(name)[n:]], "an answer")[0]


def greets(host, port):
    try:
        with socket.create_connection((host, port), 1) as tcp:
            return tcp.recv(100).startswith(b"220 ")
    except OSError:
        return False


def greets_in_tls(host, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), 1) as tcp, context.wrap_socket(tcp) as tls:
            return tls.recv(100).startswith(b"220 ")
    except OSError:
        return False


def test_wider_and_narrower(make_server):
    one = make_server(config="").start()
    implicit, port = f'"127.0.0.1:{one.submissions}"', one.submission
    with socket.create_connection((one.host, port), 20) as inside:
        assert inside.recv(100).startswith(b"220 ")
        for address, also in (("*", True), ("127.0.0.1", False), ("0.0.0.0", True), ("*", True), ("127.0.0.1", False)):
            assert reload(one, implicit, f'"{address}:{port}"')["event"] == "reloaded"
            eventually(lambda: greets("127.0.0.1", port), "a greeting")
            eventually(lambda: greets("127.0.0.2", port) == also, f"{address} to be in force")
        inside.sendall(b"NOOP\r\n")
        assert inside.recv(100).startswith(b"250 ")
    assert greets_in_tls("127.0.0.1", one.submissions)
    assert one.stop() == 0


def test_services_exchanged(make_server):
    one = make_server(config="").start()
    a, b = one.submissions, one.submission
    assert reload(one, f'"127.0.0.1:{b}"', f'"127.0.0.1:{a}"')["event"] == "reloaded"
    eventually(lambda: greets("127.0.0.1", a) and greets_in_tls("127.0.0.1", b), "each to speak the other's protocol")
    for _ in range(20):
        assert greets("127.0.0.1", a) and greets_in_tls("127.0.0.1", b), "every front must know"
    assert one.stop() == 0


def test_somebody_else_is_still_somebody_else(make_server):
    one = make_server(config="").start()
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.2", one.submission))
        taken.listen()
        answer = reload(one, f'"127.0.0.1:{one.submissions}"', f'"*:{one.submission}"')
        assert answer["event"] == "reload-refused" and "another program listens there" in answer["why"]
    assert greets("127.0.0.1", one.submission)
    assert reload(one, f'"127.0.0.1:{one.submissions}"', f'"*:{one.submission}"')["event"] == "reloaded"
    assert one.stop() == 0


@pytest.mark.parametrize("first, second", [("*:P", "127.0.0.1:P"), ("[::]:P", "[::1]:P"), ("0.0.0.0:P", "*:P")])
def test_listeners_within_each_other(tmp_path, first, second):
    port = free_port()
    path = tmp_path / "postern.conf"
    path.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\n'
                    f'listen-submissions = {{ "{first.replace("P", str(port))}" }}\n'
                    f'listen-submission = {{ "{second.replace("P", str(port))}" }}\n')
    done = postern("check", "--config", path)
    assert done.returncode == 78 and "contains, or is contained in, the listener" in done.stderr, done
