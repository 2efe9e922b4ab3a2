"""What a script says when its variable is empty is not understood, and changes nothing."""
import pytest
from postern_server import postern


@pytest.mark.parametrize("words", [
    ["forgive", ""], ["unlock", ""], ["attempts", ""], ["locks", ""], ["revoke", ""], ["import", ""],
    ["unlock", "alice", "--network", ""], ["set", "alice", "--limit", ""], ["set", "alice", "--priority", ""],
    ["set", "alice", "--recovery", ""], ["import", "passwd", "--hostname", ""], ["list", "--users", ""],
], ids=" ".join)
def test_it_is_not_understood(tmp_path, words):
    users = ["--users", tmp_path / "users", "--state", tmp_path]
    assert postern("user", "add", "alice", "--address", "alice@example.org", *users).returncode == 0
    assert postern("user", "set", "alice", "--limit", "5", "--priority", "3", "--recovery", "a@example.net", *users).returncode == 0
    before = (tmp_path / "users").read_bytes()
    done = postern("user", *words, *(users if "--users" not in words else []))
    assert done.returncode == 64 and done.stdout == ""
    assert "empty" in done.stderr and "usage:" in done.stderr
    assert (tmp_path / "users").read_bytes() == before
