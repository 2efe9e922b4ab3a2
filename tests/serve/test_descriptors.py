"""Fewer file descriptors than the configuration asks for (RLIMIT_NOFILE): said in words, and what is in force is what fits. F2. Regress 0432."""
import smtplib
import socket
import subprocess

import pytest
from postern_server import POSTERN

ONE = "fronts = 1\n"


def limited(most):
    return ["prlimit", f"--nofile={most}:{most}"]


def check(server, most):
    return subprocess.run([*limited(most), POSTERN, "check", *server.options], capture_output=True, text=True, timeout=30, check=False)


def test_check_names_the_setting_and_the_limit(make_server):
    one = make_server(config=ONE + "".join(f'milter += {{ "inet:127.0.0.1:{p} connections=512" }}\n' for p in (11332, 11333, 11334)))
    done = check(one, 1024)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("descriptors")]
    assert len(lines) == 2 and all("RLIMIT_NOFILE is 1024 here" in line and "LimitNOFILE=" in line for line in lines)
    assert "sessions-max: 10000 are set" in lines[0] and "fit in 1_front" in lines[0]
    assert "connections= of all milters: 1536 are set" in lines[1] and "fit in 6_milter" in lines[1]
    assert "descriptors" not in check(one, 20000).stdout


def test_too_few_to_begin_with(make_server):
    """Refused, instead of a server that is ready and cannot shake hands."""
    one = make_server(config=ONE)
    assert "postern serve refuses to start so" in check(one, 100).stdout
    one.launch(prefix=limited(100))
    assert one.process.wait(20) == 71
    assert "(RLIMIT_NOFILE), and 259 are the least to serve with" in one.log.read_text()


def test_strangers_do_not_keep_every_descriptor(make_server):
    """More of them than descriptors, from several networks: the next one is served all the same, and a login is."""
    one = make_server(config=ONE).start(prefix=limited(400))
    said = one.await_event("descriptors", setting="sessions-max")
    assert said["configured"] == "10000" and said["limit"] == "400" and int(said["in-force"]) < 400 < int(said["needs"])
    one.add_key()
    strangers = []
    try:
        for i in range(420):
            tcp = socket.socket()
            strangers.append(tcp)
            tcp.bind((f"127.0.1.{1 + i // 45}", 0))
            tcp.settimeout(20)
            tcp.connect((one.host, one.submission))
        with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, source_address=("127.0.2.1", 0)) as smtp:
            smtp.login(one.login, one.key)
            assert smtp.noop()[0] == 250
    finally:
        for tcp in strangers:
            tcp.close()
    assert not one.events("accept"), "it never ran out of them"
    assert one.stop() == 0


@pytest.mark.parametrize("most", [1024])
def test_a_reload_is_held_to_it_too(make_server, most):
    one = make_server(config=ONE + "sessions-max = 500\n").start(prefix=limited(most))
    assert not one.events("descriptors")
    one.write_config(ONE + "sessions-max = 5000\n")
    one.hup()
    assert one.await_event("descriptors", setting="sessions-max")["configured"] == "5000"
    one.await_event("reloaded")
    assert one.stop() == 0
