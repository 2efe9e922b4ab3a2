"""Starting: with nothing, with a configuration, and with one that is wrong."""
import os
import pathlib
import re
import signal
import socket
import stat
import time

import pytest
from postern_server import POSTERN, eventually, make_certificate, postern


def test_no_configuration_is_safe(server):
    ready = server.events("ready")[0]
    assert int(ready["pid"]) == server.process.pid
    assert all(re.search(r"=(127\.0\.0\.1|\[::1\]):", word) for word in ready["listen"].split())
    assert ready["relay"] == f"maildir:{server.maildir}"
    assert re.search(r"postern\.localhost localhost 127\.0\.0\.1 ::1 for 39\d days", ready["certificate"])
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){6}", server.key)
    assert server.key not in server.log.read_text()
    assert set(server.children()) >= {"spool:0", "auth:0", "relay:0", "front:0"}


def test_state_is_closed_to_others(server):
    modes = {name: stat.S_IMODE((server.state / name).stat().st_mode) for name in (".", "auth", "auth/users", "control", "ledger", "tls/key.pem", "tls/ca-key.pem")}
    assert modes == {".": 0o700, "auth": 0o700, "auth/users": 0o600, "control": 0o600, "ledger": 0o600, "tls/key.pem": 0o600, "tls/ca-key.pem": 0o600}


def test_clients_can_verify_us(server):
    """8314-3: the name in the certificate is the one that was dialled."""
    for name in ("localhost", "postern.localhost", "127.0.0.1"):
        with socket.create_connection((server.host, server.submissions), 10) as tcp, \
                server.context().wrap_socket(tcp, server_hostname=name) as tls:
            assert tls.recv(100).startswith(b"220 postern.localhost ")


def test_key_is_shown_once(make_server):
    one = make_server().start()
    first = one.key
    assert first and one.stop() == 0
    one.key = None
    one.start()
    assert one.key is None
    assert first not in one.out.read_text()
    assert one.stop() == 0


def test_a_host_name_is_enough(make_server):
    one = make_server(config="").start()
    assert one.out.read_text() == ""
    assert one.events("ready")[0]["hostname"] == "mail.example.org"
    assert one.stop() == 0


def test_one_server_for_one_state(server, make_server):
    other = make_server()
    other.state = server.state
    assert other.launch().process.wait(10) == 75
    assert f"process {server.process.pid}" in other.log.read_text()


def test_port_in_use_is_named(make_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = make_server()
        one.submissions = taken.getsockname()[1]
        assert one.launch().process.wait(10) == 71
        assert f"address 127.0.0.1, port {one.submissions}: Address already in use" in one.log.read_text()


def test_address_of_others_is_named(make_server):
    one = make_server(config="")
    one.config.write_text(one.config.read_text().replace('"127.0.0.1:', '"192.0.2.7:', 1))
    assert one.launch().process.wait(10) == 78
    assert f"address 192.0.2.7, port {one.submissions}: Cannot assign requested address" in one.log.read_text()


def test_low_port_says_what_to_do(make_server):
    one = make_server()
    one.submissions = 465
    # Root as anybody else in this.
    prefix = ["setpriv", "--bounding-set=-net_bind_service"] if os.geteuid() == 0 else []
    assert one.launch(prefix).process.wait(10) == 78
    assert "CAP_NET_BIND_SERVICE" in one.log.read_text()


WRONG = [
    ('hostnme = "x"\n', 6, "hostnme"),
    ("\n\n# here\nexpire = 5\n", 9, "expire"),
    ('size-max = "50 MB"\n', 6, "size-max"),
    ('relay = "smtp://user@smtp.example.net"\n', 5, "relay"),
    ('certificate { chain = "/nonexistent/chain.pem" key = "/nonexistent/key.pem" }\n', 6, "certificate"),
    ('relay = "submissions://u@smtp.example.net"\nrelay-credentials = "/nonexistent"\n', 6, "relay-credentials"),
]


@pytest.mark.parametrize("more,line,key", WRONG, ids=[w[2] + str(w[1]) for w in WRONG])
def test_wrong_configuration_is_refused(make_server, more, line, key):
    one = make_server(config=more)
    assert one.launch().process.wait(10) == 78
    assert f'{one.config}:{line}: key "{key}": ' in one.log.read_text()
    done = postern("check", "--config", one.config)
    assert done.returncode == 78
    assert f'{one.config}:{line}: key "{key}": ' in done.stderr


def test_key_of_another_certificate_is_refused(make_server, tmp_path):
    chain, _ = make_certificate(tmp_path, "mail.example.org", "one")
    _, key = make_certificate(tmp_path, "mail.example.org", "two")
    one = make_server(config=f'certificate {{ chain = "{chain}" key = "{key}" }}\n')
    assert one.launch().process.wait(10) == 78
    said = one.log.read_text()
    assert str(chain) in said and str(key) in said and f'{one.config}:6: key "certificate"' in said


def test_password_that_others_may_read_is_refused(make_server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("x\n")
    secret.chmod(0o640)
    one = make_server(config=f'relay = "submissions://u@smtp.example.net"\nrelay-credentials = "{secret}"\n')
    assert one.launch().process.wait(10) == 78
    assert f'{one.config}:6: key "relay-credentials": {secret}: may be read by others' in one.log.read_text()


def test_roles_are_for_the_master(tmp_path):
    done = postern("serve", "--role", "front", "--slot", "0")
    assert done.returncode == 64
    assert "master's own use" in done.stderr


def test_unknown_words_are_refused():
    assert postern("serve", "--frobnicate").returncode == 64
    assert postern("frobnicate").returncode == 64
    assert postern().returncode == 64
    assert postern("help").returncode == 0
    assert postern("version").stdout.startswith("postern ")
    assert postern("serve", "--help").stdout.startswith("usage: postern serve")


def test_interrupt_drains_too(make_server):
    one = make_server().start()
    children = one.children()
    assert one.stop(signal.SIGINT) == 0
    assert [e["event"] for e in one.events() if e["proc"] == "master"][-2:] == ["drain", "stopped"]
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children.values()), "the children's end")


def test_second_signal_ends_at_once(make_server):
    one = make_server().start()
    with socket.create_connection((one.host, one.submissions)) as idle:
        one.process.terminate()
        one.await_event("drain")
        begun = time.monotonic()
        one.process.terminate()
        one.process.wait(10)
        assert time.monotonic() - begun < 5
        idle.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may unmount something, in a namespace of its own")
def test_no_proc(make_server):
    """Regress 0435: what is missing is named."""
    one = make_server(config="").launch(prefix=["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$0" "$@"'])
    # The search for leaks at the end of a build with sanitizers fails without /proc, whatever its options say: those are read there.
    assert one.process.wait(20) == (1 if b"__asan_init" in pathlib.Path(POSTERN).read_bytes() else 71)
    event, = one.events("child")
    assert event["of"] == "spool" and "/proc" in event["remedy"]


def test_state_is_free_again_after_a_crash(make_server):
    one = make_server().start()
    children = one.children()
    one.process.kill()
    one.process.wait()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children.values()), "the children's end")
    one.start()
    assert one.stop() == 0
