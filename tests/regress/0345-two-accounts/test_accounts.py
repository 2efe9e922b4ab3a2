"""Which account, and what stands in the way of a message. cli-3, cli-5."""

import os
import subprocess

import pytest

from postern_server import POSTERN
from scripted_server import ScriptedServer


def run(folder, names, arguments, prefix="", message=b"x\n"):
    """An account for each name, at a server of its own, from NAME@example.org; which server got how many messages."""
    accounts = folder / "accounts"
    with ScriptedServer() as one, ScriptedServer() as two:
        accounts.write_text("".join(f'account {name} {{ server = "smtp://127.0.0.1:{server.port}"\nfrom = "{name}@example.org" }}\n'
                                    for name, server in zip(names, (one, two))))
        accounts.chmod(0o600)
        done = subprocess.run(["sh", "-c", prefix + ' exec "$@"', "sh", POSTERN, *arguments, "b@example.net"], input=message, capture_output=True,
                              timeout=20, check=False, env=dict(os.environ, HOME=str(folder), POSTERN_TEST=str(accounts)))
    return done, [[m["from"] for m in server.messages] for server in (one, two)]


@pytest.mark.parametrize("arguments, want", [
    ([], [["default@example.org"], []]), (["-f", "work@example.org"], [[], ["work@example.org"]]), (["-f", "Me <work@EXAMPLE.org>"], [[], ["work@EXAMPLE.org"]]),
    (["-f", "other@example.org"], [["other@example.org"], []]), (["-f", ""], [[""], []]),
])
def test_the_sender_chooses(tmp_path, arguments, want):
    done, got = run(tmp_path, ["default", "work"], ["sendmail", "-C", str(tmp_path / "accounts"), *arguments])
    assert done.returncode == 0 and got == want, done


def test_a_name_chooses_first(tmp_path):
    done, got = run(tmp_path, ["home", "work"], ["send", "--accounts", str(tmp_path / "accounts"), "--account", "home", "--from", "work@example.org"])
    assert done.returncode == 0 and got == [["work@example.org"], []]


def test_nobody_chooses(tmp_path):
    done, got = run(tmp_path, ["home", "work"], ["sendmail", "-C", str(tmp_path / "accounts")])
    assert done.returncode == 78 and got == [[], []]
    assert all(word in done.stderr for word in [b"2 accounts", b"default", str(tmp_path).encode()]), done.stderr


def test_no_room_for_the_message(tmp_path):
    done, got = run(tmp_path, ["default", "work"], ["sendmail", "-C", str(tmp_path / "accounts")], "ulimit -f 1;", b"x\n" * 100000)
    assert done.returncode == 74 and b"keeping the message" in done.stderr and got == [[], []]
    done, got = run(tmp_path, ["default", "work"], ["sendmail", "-C", str(tmp_path / "accounts")], "TMPDIR=/no/where; export TMPDIR;")
    assert done.returncode == 73 and b"/no/where" in done.stderr and got == [[], []]
