"""A users file that is a symbolic link is not replaced by a file."""
from postern_server import postern


def test_a_change_is_refused(tmp_path):
    real, link = tmp_path / "real", tmp_path / "users"

    def user(*words, file, **more):
        return postern("user", *words, "--users", file, "--state", tmp_path, **more)

    assert user("add", "alice", "--address", "alice@example.org", file=real).returncode == 0
    before = real.read_bytes()
    link.symlink_to("real")
    for words in (["key", "alice", "laptop"], ["revoke", "alice"], ["grant", "alice", "--address", "a@example.org"],
                  ["set", "alice", "--limit", "5"], ["add", "bob", "--address", "bob@example.org"], ["password", "alice"]):
        done = user(*words, file=link, input="a good pass phrase\n")
        assert done.returncode == 65 and done.stdout == ""
        assert "symbolic link" in done.stderr and str(link) in done.stderr, done.stderr
    assert link.is_symlink() and real.read_bytes() == before
    assert "alice" in user("list", file=link).stdout
    assert user("key", "alice", "laptop", file=real).returncode == 0
