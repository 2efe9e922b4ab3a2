"""Guessed passwords: 421 for who guesses, nothing at all for the owner (issue 3, 6409-*, 5321-24)."""
import base64
import concurrent.futures
import json
import os
import signal
import socket
import ssl

import pytest
from postern_server import eventually, postern

# The answers to failures wait 1 to 16 s each: what must fail often does so from many connections at once.
PARALLEL = 16


class Talk:
    """One TLS connection to 465 from a loopback address of our choice."""

    def __init__(self, server, source):
        context = server.context()
        self.tcp = socket.create_connection((server.host, server.submissions), 40, source_address=(source, 0))
        self.tls = context.wrap_socket(self.tcp, server_hostname=server.hostname)
        self.file = self.tls.makefile("rb")
        self.reply()
        self.say("EHLO test.example.org")

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line.decode().rstrip()

    def say(self, text):
        self.tls.sendall(text.encode() + b"\r\n")
        return self.reply()

    def plain(self, login, password):
        return self.say("AUTH PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode()).decode())

    def ended(self):
        try:
            return self.file.readline() == b""
        except (ssl.SSLError, ConnectionError):
            return True

    def close(self):
        self.file.close()
        self.tls.close()


def attempt(server, source, login, password):
    talk = Talk(server, source)
    try:
        reply = talk.plain(login, password)
        if reply.startswith("421"):
            assert talk.ended()
        return reply
    finally:
        talk.close()


def guess(server, source, login, words):
    """Try all words at once; how many were looked at."""
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        replies = list(pool.map(lambda w: attempt(server, source, login, w), words))
    assert all(r.startswith(("535 5.7.8", "421 4.7.0")) for r in replies), replies
    return sum(r.startswith("535") for r in replies)


@pytest.fixture
def guarded(make_server):
    one = make_server(config="").start()
    for name in ("alice", "bob"):
        done = postern("user", "add", *one.options, name, "--address", f"{name}@example.org", "--password", input="the right one\n")
        assert done.returncode == 0, done.stderr
    yield one
    if one.process.poll() is None:
        assert one.stop() == 0


def entries(server, *what):
    done = postern("user", "attempts", *server.options, *what, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def exhaust(server, source, login="alice"):
    looked = guess(server, source, login, [f"{login} {source} {i}" for i in range(16)])
    # Ten, and as many as were being looked at when the tenth failed.
    assert 10 <= looked <= 14, looked
    assert attempt(server, source, login, "the right one").startswith("421 4.7.0")


def test_a_guesser_is_turned_away_and_the_owner_is_not(guarded):
    assert attempt(guarded, "127.0.0.3", "alice", "the right one").startswith("235")
    exhaust(guarded, "127.0.0.2")
    # From home; from somewhere new; as bob from the guesser's own host; and the guesser may still not.
    assert attempt(guarded, "127.0.0.3", "alice", "the right one").startswith("235")
    assert attempt(guarded, "127.0.0.4", "alice", "the right one").startswith("235")
    assert attempt(guarded, "127.0.0.2", "bob", "the right one").startswith("235")
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("421")
    assert guarded.events("guessing", peer="127.0.0.2")
    # Refusals cost no work and no line each, in no process.
    before = len(guarded.events("auth-refused"))
    guess(guarded, "127.0.0.2", "alice", ["again"] * 30)
    assert len(guarded.events("auth-not-checked")) < 10
    assert len(guarded.events("auth-refused")) - before < 10


def test_an_unknown_login_looks_like_a_known_one(guarded):
    known = [attempt(guarded, "127.0.0.2", "alice", f"guess {i}") for i in range(3)]
    unknown = [attempt(guarded, "127.0.0.9", "nobody", f"guess {i}") for i in range(3)]
    assert known == unknown
    assert [(e["failures"], e["secrets"]) for e in entries(guarded, "alice")] == \
        [(e["failures"], e["secrets"]) for e in entries(guarded, "nobody")]
    shown = postern("user", "attempts", *guarded.options).stdout
    assert "nobody" not in shown and "no such login" in shown and "alice at 127.0.0.2: 3 failed, 3 different secrets" in shown


def test_nonsense_instead_of_a_guess_is_no_flood_of_lines(make_server):
    """It costs no budget, so nothing but the log's own limit stops it. tests/regress/0385"""
    one = make_server(config="fronts = 1\n").start()

    def nonsense(n):
        talk = Talk(one, f"127.0.0.{2 + n % 10}")
        try:
            return talk.say("AUTH PLAIN " + base64.b64encode(b"no NUL in it").decode())
        finally:
            talk.close()

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        assert {r[:9] for r in pool.map(nonsense, range(80))} == {"535 5.7.8"}
    eventually(lambda: sum(int(e["count"]) for e in one.events("auth-malformed")) >= 30, "the sum of them")
    assert len(one.events("auth-malformed")) < 20 and not one.events("auth", result="fail")
    # Two minutes may have part in it.
    assert len(one.events("auth-refused")) <= 60
    assert one.stop() == 0


def test_what_is_typed_for_a_login_may_be_a_password(guarded):
    """People type it into the wrong field. tests/regress/0383"""
    logins = ("Secret-Word-77", "alice/Secret-Word-77", "Secret-Word-77@example.org", "ALICE@example.org")
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        assert all(r.startswith("535") for r in pool.map(lambda login: attempt(guarded, "127.0.0.2", login, "wrong"), logins))
    failed = guarded.await_event("auth", 4, result="fail") and guarded.events("auth", result="fail")
    assert "secret-word" not in guarded.log.read_text().lower()
    (unknown,) = {e["login"] for e in entries(guarded) if e["login"] and e["login"].startswith("?")}
    assert sorted(e["login"] for e in failed) == [unknown, unknown, "alice", "alice"]


def test_the_same_wrong_secret_counts_once(guarded):
    assert guess(guarded, "127.0.0.2", "alice", ["last year's"] * 40) == 40
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("235")
    (row,) = [e for e in entries(guarded, "alice") if e["network"] == "127.0.0.2"]
    assert (row["failures"], row["secrets"], row["known"], row["refused_until"]) == (40, 1, True, None)


def test_forgiven_by_login_and_by_network(guarded):
    exhaust(guarded, "127.0.0.2")
    refused = [e for e in entries(guarded) if e["refused_until"]]
    assert [(e["login"], e["network"]) for e in refused] == [("alice", "127.0.0.2")]
    done = postern("user", "forgive", *guarded.options, "ALICE@example.org")
    assert done.returncode == 0 and done.stdout.startswith("forgiven: 2 entries"), done
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("235")
    assert attempt(guarded, "127.0.0.2", "bob", "wrong").startswith("535")
    assert entries(guarded, "bob") and entries(guarded, "127.0.0.2")
    done = postern("user", "forgive", *guarded.options, "127.0.0.0/24")
    assert done.returncode == 0 and entries(guarded) == []
    assert "no failed logins are remembered" in postern("user", "attempts", *guarded.options).stdout


def test_what_is_not_understood_is_refused(guarded):
    done = postern("user", "attempts", *guarded.options, "10.0.0.0/8")
    assert done.returncode == 65 and "/24" in done.stderr
    assert postern("user", "forgive", *guarded.options).returncode == 64
    assert guarded.stop() == 0
    done = postern("user", "attempts", *guarded.options)
    assert done.returncode == 69 and "not running" in done.stderr


def restart_auth(server):
    before = server.children()["auth:0"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: server.children().get("auth:0", before) != before, "another 3_auth")
    # A front that has not met it yet says 454.
    eventually(lambda: not attempt(server, "127.0.0.50", "bob", "the right one").startswith("454"), "an answer of the new 3_auth")


def test_the_ledger_outlives_its_process(guarded):
    ledger = guarded.state / "auth" / "attempts"
    assert attempt(guarded, "127.0.0.3", "alice", "the right one").startswith("235")
    exhaust(guarded, "127.0.0.2")
    stamp = eventually(lambda: ledger.exists() and ledger.stat().st_mtime_ns, "the ledger's file")
    eventually(lambda: not (guarded.state / "auth" / "attempts.new").exists(), "the end of a write")
    assert attempt(guarded, "127.0.0.6", "alice", "one more").startswith("535")
    eventually(lambda: ledger.stat().st_mtime_ns != stamp, "the next snapshot")
    assert ledger.stat().st_mode & 0o777 == 0o600 and (ledger.parent / "attempts.key").stat().st_mode & 0o777 == 0o600
    restart_auth(guarded)
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("421")
    assert [e["known"] for e in entries(guarded, "alice") if e["network"] == "127.0.0.6"] == [False]
    # And a whole restart, which writes what the last seconds brought.
    assert attempt(guarded, "127.0.0.7", "alice", "wrong").startswith("535")
    assert guarded.stop() == 0
    guarded.start()
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("421")
    assert [e["failures"] for e in entries(guarded, "127.0.0.7") if e["login"] == "alice" and e["network"] == "127.0.0.7"] == [1]


@pytest.mark.parametrize("damage", ["cut", "foreign", "flipped", "folder"])
def test_a_damaged_ledger_is_set_aside(guarded, damage):
    ledger = guarded.state / "auth" / "attempts"
    assert attempt(guarded, "127.0.0.2", "alice", "wrong").startswith("535")
    assert guarded.stop() == 0
    octets = bytearray(ledger.read_bytes())
    if damage == "cut":
        ledger.write_bytes(octets[:-20])
    elif damage == "foreign":
        (ledger.parent / "attempts.key").write_bytes(b"sixteen octets!!")
    elif damage == "flipped":
        octets[40] ^= 1
        ledger.write_bytes(octets)
    else:
        ledger.unlink()
        ledger.mkdir()
    guarded.start()
    assert guarded.await_event("ledger-damaged")["kept-as"] == str(ledger) + ".damaged"
    assert entries(guarded) == []
    assert attempt(guarded, "127.0.0.2", "alice", "the right one").startswith("235")
    eventually(ledger.is_file, "a new ledger")
