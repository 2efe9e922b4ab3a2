"""A principal is added with all that belongs to it, or not at all (docs/man/postern-user.1: 65, refused, and nothing has changed)."""
import resource
import signal

import pytest
from postern_server import postern

ADDRESS = "alice@example.org"


def small_disk(room):
    def begin():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    return begin


def add(users, *options, room=1 << 20):
    return postern("user", "add", "alice", "--address", ADDRESS, *options, "--users", users, input="a password of hers\n",
                   preexec_fn=small_disk(room))


@pytest.mark.parametrize("option", ["--password", "--recovery=alice@example.net"])
def test_nothing_is_left(tmp_path, option):
    whole, short = tmp_path / "whole", tmp_path / "short"
    options = option.split("=")
    assert add(tmp_path / "alone").returncode == 0
    assert add(whole, *options).returncode == 0
    room = len((tmp_path / "alone").read_bytes())
    assert len(whole.read_bytes()) > room
    done = add(short, *options, room=room)
    assert done.returncode == 65 and "File too large" in done.stderr, done.stderr
    assert not short.exists() or "alice" not in short.read_text()
    assert add(short, *options).returncode == 0


def test_all_is_there(tmp_path):
    assert add(tmp_path / "users", "--password", "--recovery", "alice@example.net").returncode == 0
    listed = postern("user", "list", "--users", tmp_path / "users").stdout
    assert "password" in listed and "alice@example.net" in listed and ADDRESS in listed, listed
