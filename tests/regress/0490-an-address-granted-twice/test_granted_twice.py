"""An address is granted once, however often and in whatever case it is said."""
from postern_server import postern


def test_once(tmp_path):
    def user(*words):
        return postern("user", *words, "--users", tmp_path / "users", "--state", tmp_path)

    assert user("add", "alice", "--address", "alice@example.org", "--address", "Alice@example.org").returncode == 0
    for _ in range(2):
        assert user("grant", "alice", "--address", "ALICE@example.org", "--address", "@lists.example.org").returncode == 0
    assert user("key", "alice", "laptop", "--from", "alice@example.org", "--from", "alice@example.org").returncode == 0
    text = (tmp_path / "users").read_text()
    assert " addresses=alice@example.org,@lists.example.org " in text and " from=alice@example.org " in text
