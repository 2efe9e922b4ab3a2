"""An option that a verb has no use for is refused, before anything changes."""
import pytest
from postern_server import postern


@pytest.fixture
def users(tmp_path):
    file = tmp_path / "users"
    done = postern("user", "add", "alice", "--address", "@example.org", "--users", file)
    assert done.returncode == 0, done.stderr
    return file


@pytest.mark.parametrize("words", [
    ["key", "alice", "laptop", "--address", "alice@example.org"],
    ["key", "alice", "laptop", "--password"],
    ["add", "bob", "--address", "bob@example.org", "--expires", "90d"],
    ["add", "bob", "--address", "bob@example.org", "--from", "bob@example.org"],
    ["grant", "alice", "--from", "alice@example.net"],
    ["grant", "alice", "--address", "alice@example.net", "--hostname", "example.net"],
    ["password", "alice", "--expires", "1d"],
    ["revoke", "alice", "--from", "alice@example.org"],
    ["list", "--expires", "1d"],
    ["import", "/etc/passwd", "--address", "a@example.org"],
])
def test_refused(users, words):
    before = users.read_bytes()
    done = postern("user", *words, "--users", users, input="a good pass phrase\n")
    assert done.returncode == 64
    assert "not understood" in done.stderr or "has no use for" in done.stderr
    assert users.read_bytes() == before


@pytest.mark.parametrize("password", ["", "\n", "x" * 256 + "\n", "bell\x07\n"])
def test_a_refused_password_adds_nobody(users, password):
    before = users.read_bytes()
    done = postern("user", "add", "bob", "--address", "bob@example.org", "--password", "--users", users, input=password)
    assert done.returncode == 65 and done.stderr
    assert users.read_bytes() == before
