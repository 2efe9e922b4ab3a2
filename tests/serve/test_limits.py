"""What a server that is asked for too much does, and what a stranger can learn from how long it takes."""
import base64
import concurrent.futures
import os
import pathlib
import re
import resource
import smtplib
import socket
import time

import pytest
from postern_server import eventually, postern

ONE = "fronts = 1\n"


def connect(one, port):
    return socket.create_connection((one.host, port), 20)


def greeting(tcp, patience=20):
    tcp.settimeout(patience)
    try:
        return tcp.recv(200)
    except socket.timeout:
        return None


def test_one_session_too_many(make_server):
    one = make_server(config=ONE + "sessions-max = 3\n").start()
    inside = [connect(one, one.submission) for _ in range(3)]
    assert all(greeting(tcp).startswith(b"220 ") for tcp in inside)
    clear, implicit = connect(one, one.submission), connect(one, one.submissions)
    assert greeting(clear) == b"421 mail.example.org too many connections, try again later\r\n"
    assert clear.recv(1) == b"" and implicit.recv(1) == b""
    # Those inside notice nothing, and when one leaves there is room.
    inside[0].sendall(b"NOOP\r\n")
    assert inside[0].recv(200).startswith(b"250 ")
    inside.pop().close()
    eventually(lambda: greeting(connect(one, one.submission)).startswith(b"220 "), "a free place")
    for tcp in inside:
        tcp.close()
    assert one.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set the limits of a process that is not dumpable")
def test_no_descriptors_left(make_server):
    one = make_server(config=ONE).start()
    front = one.children()["front:0"]
    used = len(os.listdir(f"/proc/{front}/fd"))
    soft, hard = resource.prlimit(front, resource.RLIMIT_NOFILE)
    resource.prlimit(front, resource.RLIMIT_NOFILE, (used + 3, hard))
    waiting = [connect(one, one.submission) for _ in range(10)]
    one.await_event("accept")

    def busy():
        return sum(map(int, pathlib.Path(f"/proc/{front}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before = busy()
    time.sleep(3)
    assert busy() - before < 30, "it must not spin"
    assert len(one.events("accept")) <= 6
    greeted = [tcp for tcp in waiting if greeting(tcp, 0.05)]
    assert 1 <= len(greeted) <= 3
    for tcp in greeted:
        tcp.sendall(b"NOOP\r\n")
        assert tcp.recv(200).startswith(b"250 ")
    for tcp in greeted:
        tcp.close()
    left = [tcp for tcp in waiting if tcp not in greeted]
    eventually(lambda: any(greeting(tcp, 0.05) for tcp in left), "one of those who waited")
    resource.prlimit(front, resource.RLIMIT_NOFILE, (soft, hard))
    for tcp in left:
        tcp.close()
    eventually(lambda: greeting(connect(one, one.submission), 1), "a greeting as ever")
    assert one.children()["front:0"] == front
    assert one.stop() == 0


def test_connections_are_kept_alive(make_server):
    """A client that has vanished without a word is noticed."""
    one = make_server(config=ONE).start()
    with connect(one, one.submission) as tcp:
        assert greeting(tcp)
        ours = f":{one.submission:04X}"

        def keepalive():
            for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                words = line.split()
                if words[1].endswith(ours) and words[3] == "01":
                    return words[5].startswith("02:")
            return False

        eventually(keepalive, "a timer that probes", 5)
    assert one.stop() == 0


def test_two_servers_on_one_state(make_server):
    """The second is refused at once, in words, and the first one's files and sockets are as they were."""
    one = make_server(config="").start()
    one.add_key(address="@example.org")
    two = make_server(config="")
    two.state = two.maildir = one.state
    two.write_config("")
    began = time.monotonic()
    assert two.launch().process.wait(20) == 75
    assert time.monotonic() - began < 5
    assert f"another server (process {one.process.pid}) already works in {one.state}" in two.log.read_text()
    assert postern("queue", "list", *one.options).returncode == 0
    with smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=20) as smtp:
        assert smtp.login(one.login, one.key)[0] == 235
    assert one.stop() == 0


def refusal(one, login, password):
    """(reply, seconds) to the first failed AUTH PLAIN of a connection."""
    with smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=30) as smtp:
        smtp.ehlo("laptop.example.org")
        response = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        began = time.monotonic()
        reply = smtp.docmd("AUTH", "PLAIN " + response)
        return reply, time.monotonic() - began


def test_a_stranger_learns_nothing(make_server):
    """4954-12, 4954-6: unknown, wrong, revoked, expired: the same words after the same time."""
    one = make_server(config="").start()
    users = ["user", "add", *one.options]
    assert postern(*users, "alice", "--address", "alice@example.org", "--password", input="a good pass phrase\n").returncode == 0
    assert postern(*users, "gone", "--address", "gone@example.org", "--password", input="a good pass phrase\n").returncode == 0
    for device in ("laptop", "lost"):
        assert postern("user", "key", *one.options, "alice", device).returncode == 0
    assert postern("user", "revoke", *one.options, "alice/lost").returncode == 0
    assert postern("user", "revoke", *one.options, "gone").returncode == 0
    assert postern("user", "key", *one.options, "alice", "old", "--expires", "1h").returncode == 0
    file = one.state / "auth" / "users"
    file.write_text(re.sub(r"expires=\d+", "expires=1000000000", file.read_text()))
    time.sleep(1.2)
    key = "abcd-efgh-jkmn-pqrs-tvwx-yz01-2345"
    cases = {
        "unknown login": ("nobody", "a bad pass phrase"), "wrong password": ("alice", "a bad pass phrase"),
        "revoked login": ("gone", "a bad pass phrase"), "unknown login, key": ("nobody", key), "wrong key": ("alice", key),
        "wrong key of a device": ("alice/laptop", key), "revoked key": ("alice/lost", key), "expired key": ("alice/old", key),
        "unknown device": ("alice/none", key), "unknown login with a device": ("nobody/laptop", key), "an address": ("alice@example.org", key),
    }
    replies, times = {}, {name: [] for name in cases}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for _ in range(3):      # a busy machine makes an answer late, none makes it early: the quickest tells
            for name, (reply, took) in zip(cases, pool.map(lambda case: refusal(one, *case), cases.values())):
                replies[name] = reply
                times[name].append(took)
    assert set(replies.values()) == {replies["unknown login"]} and replies["unknown login"][0] == 535
    quickest = {name: min(took) for name, took in times.items()}
    assert max(quickest.values()) - min(quickest.values()) < 0.05, quickest
    assert min(quickest.values()) > 0.9, quickest
    assert one.stop() == 0
