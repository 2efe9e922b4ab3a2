"""`postern user`: every verb, its words, its exit status, and what stands in the file afterwards."""
import json
import os
import re
import stat
import subprocess
import threading
import time

import pytest
from postern_server import postern

KEY = re.compile(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){6}")


@pytest.fixture
def user(tmp_path):
    def run(*words, **more):
        return postern("user", *words, "--users", tmp_path / "users", "--state", tmp_path, **more)

    run.file = tmp_path / "users"
    return run


@pytest.fixture
def alice(user):
    assert user("add", "alice", "--address", "alice@example.org", "--address", "@lists.example.org").returncode == 0
    return user


def listed(user):
    done = user("list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_and_nonsense(user):
    assert "usage: postern user add" in postern("user", "--help").stdout
    for words in ([], ["frobnicate"], ["add"], ["add", "a", "b", "--address", "a@example.org"], ["key", "alice"], ["list", "x"],
                  ["add", "alice", "--address"], ["add", "alice", "-x"], ["list", "--nonsense", "x"], ["revoke"]):
        done = postern("user", *words)
        assert done.returncode == 64, words
        assert "usage:" in done.stderr and done.stdout == ""


def test_the_file_is_closed_to_others(alice):
    assert stat.S_IMODE(alice.file.stat().st_mode) == 0o600
    alice.file.chmod(0o644)
    assert alice("key", "alice", "laptop").returncode == 0
    assert stat.S_IMODE(alice.file.stat().st_mode) == 0o640, "a change closes it to others, and keeps its group"


def test_a_key_is_shown_once_and_kept_nowhere(alice):
    done = alice("key", "alice", "laptop", "--from", "alice@example.org")
    assert done.returncode == 0 and KEY.fullmatch(done.stdout.strip())
    assert done.stdout.strip() not in done.stderr
    assert done.stdout.strip() not in alice.file.read_text()
    assert " from=alice@example.org " in alice.file.read_text()
    assert alice("key", "alice", "laptop").returncode == 65, "one key for a device"
    assert alice("revoke", "alice/laptop").returncode == 0
    assert alice("revoke", "alice/laptop").returncode == 65
    assert alice("key", "alice", "laptop").returncode == 0, "a revoked one makes room"


@pytest.mark.parametrize("text,seconds", [("12h", 12 * 3600), ("90d", 90 * 86400), ("8w", 56 * 86400)])
def test_expires_in(alice, text, seconds):
    before = int(time.time())
    assert alice("key", "alice", "laptop", "--expires", text).returncode == 0
    when = int(re.search(r"expires=(\d+)", alice.file.read_text())[1])
    assert before + seconds <= when <= time.time() + seconds


def test_expires_on(alice):
    assert alice("key", "alice", "laptop", "--expires", "2099-12-31").returncode == 0
    assert "expires=4102444800" in alice.file.read_text(), "the end of that day, UTC"


@pytest.mark.parametrize("text", ["", "0d", "-1d", "90", "d", "90dd", "90m", "36501d", "99999999999999999999d", "2020-01-01",
                                  "2027-13-01", "2027-02-30", "2027-1-1x", "tomorrow"])
def test_expires_never_when_not_understood(alice, text):
    before = alice.file.read_bytes()
    done = alice("key", "alice", "laptop", "--expires", text)
    assert done.returncode == 65 and done.stdout == ""
    assert alice.file.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a\nkey alice evil", "a=b", "a#", "a,b", 'a"b', "a\x1b[2J", "a\x7f", "x" * 191])
def test_hostile_names(alice, name):
    before = alice.file.read_bytes()
    assert alice("add", name, "--address", "x@example.org").returncode in (64, 65)
    assert alice("key", "alice", name).returncode in (64, 65)
    assert alice("key", name, "laptop").returncode in (64, 65)
    assert alice("password", name, input="a good pass phrase\n").returncode in (64, 65)
    assert alice.file.read_bytes() == before


@pytest.mark.parametrize("address", ["", "alice", "@", "a@b c", "a@example.org\nkey", "a@example.org,b@example.org", '"a b"@example.org',
                                     "<a@example.org>"])
def test_hostile_addresses(alice, address):
    before = alice.file.read_bytes()
    for words in (["add", "bob", "--address", address], ["grant", "alice", "--address", address],
                  ["key", "alice", "laptop", "--from", address]):
        assert alice(*words).returncode in (64, 65), words
    assert alice.file.read_bytes() == before


def test_a_key_has_no_more_than_its_principal(alice):
    for address in ("bob@example.org", "@example.org", "alice@example.net"):
        done = alice("key", "alice", "laptop", "--from", address)
        assert done.returncode == 65 and "may not send from" in done.stderr
    assert alice("grant", "alice", "--address", "bob@example.org").returncode == 0
    assert alice("key", "alice", "laptop", "--from", "bob@example.org").returncode == 0


def test_passwords(alice):
    assert alice("password", "nobody", input="a good pass phrase\n").returncode == 65
    assert alice("password", "alice", input="").returncode == 65
    assert alice("password", "alice", input="a good pass phrase\nand something else\n").returncode == 0
    first = alice.file.read_text()
    assert "good pass" not in first and first.count("\npassword alice ") == 1
    assert alice("password", "alice", input="a better pass phrase\n").returncode == 0
    assert alice.file.read_text().count("\npassword alice ") == 1 and alice.file.read_text() != first


def test_a_password_that_looks_like_a_key(alice):
    key = alice("key", "alice", "laptop").stdout
    done = alice("password", "alice", input=key)
    assert done.returncode == 65 and "sender key" in done.stderr and key.strip() not in done.stderr


def test_revoked_is_for_ever(alice):
    assert alice("key", "alice", "laptop").returncode == 0
    assert alice("revoke", "alice").returncode == 0
    for words in (["key", "alice", "phone"], ["grant", "alice", "--address", "x@example.org"], ["add", "alice", "--address", "x@example.org"]):
        done = alice(*words)
        assert done.returncode == 65, words
    assert alice("revoke", "nobody").returncode == 65
    assert alice("revoke", "alice/tablet").returncode == 65
    assert alice("revoke", "alice/laptop/x").returncode == 65


def test_import(user, tmp_path):
    entries = tmp_path / "passwd"
    hashed = subprocess.run(["openssl", "passwd", "-6", "secret"], capture_output=True, text=True, check=True).stdout.strip()
    entries.write_text(f"# old server\nbob:{{SHA512-CRYPT}}{hashed}\ncarol@example.net:{{CRYPT}}{hashed}\nbad line\nold:{{MD5}}abc\n")
    done = user("import", entries, "--hostname", "mail.example.org")
    assert done.returncode == 0, done.stderr
    assert "2 taken, 0 known already, 2 left out" in done.stderr
    assert "principal bob addresses=bob@mail.example.org,bob@example.org" in user.file.read_text()
    assert "0 taken, 2 known already, 2 left out" in user("import", entries, "--hostname", "mail.example.org").stderr
    assert user("import", tmp_path / "none").returncode == 65


def test_list(alice):
    alice("key", "alice", "laptop", "--expires", "1d")
    plain = alice("list")
    assert plain.returncode == 0
    assert "alice" in plain.stdout and "laptop" in plain.stdout
    text = json.dumps(listed(alice))
    assert "laptop" in text and "verifier" not in text and "salt" not in text


def test_a_damaged_line_is_kept_and_named(alice):
    with alice.file.open("a") as f:
        f.write("principal broken addresses=\nsomething else\n")
    assert alice("key", "alice", "laptop").returncode == 0
    assert "principal broken addresses=\nsomething else\n" in alice.file.read_text()
    assert alice("key", "broken", "laptop").returncode == 65


def test_many_at_once(alice):
    """Writers wait for each other, and nobody's change is lost."""
    failures = []

    def key(n):
        done = alice("key", "alice", f"device{n}")
        if done.returncode != 0:
            failures.append(done.stderr)

    threads = [threading.Thread(target=key, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert len(set(re.findall(r"^key alice (device\d+) ", alice.file.read_text(), re.M))) == 12


def test_a_link_is_not_followed(alice, tmp_path):
    target = tmp_path / "victim"
    target.write_text("precious")
    for name in ("users.new", "users.lock"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).symlink_to(target)
        alice("key", "alice", f"laptop-{name}")
        assert target.read_text() == "precious"
        (tmp_path / name).unlink(missing_ok=True)


def test_a_full_standard_output_is_said(alice):
    with open("/dev/full", "w") as full:
        done = alice("key", "alice", "laptop", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 65 and "could not be shown" in done.stderr
    assert [k["state"] for k in listed(alice)[0]["keys"]] == ["revoked"], "nobody has seen it"
    assert alice("key", "alice", "laptop").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what it cannot read")
def test_a_directory_in_its_place(user):
    user.file.mkdir()
    done = user("add", "alice", "--address", "alice@example.org")
    assert done.returncode == 65 and "cannot read" in done.stderr


def test_the_server_says_that_others_can_read_the_file(make_server):
    one = make_server(config="").start()
    one.add_key(address="@example.org")
    assert not one.events("users-readable-by-all")
    (one.state / "auth" / "users").chmod(0o644)
    assert postern("user", "add", *one.options, "bob", "--address", "bob@example.org").returncode == 0
    (one.state / "auth" / "users").chmod(0o604)
    one.hup()
    assert one.await_event("users-readable-by-all")["file"] == str(one.state / "auth" / "users")
    assert one.stop() == 0
