"""Accounts may be made before the server was ever started, in a home that is new."""
from postern_server import postern


def test_a_new_home(tmp_path):
    env = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    (tmp_path / "home").mkdir()
    done = postern("user", "add", "alice", "--address", "alice@example.org", env=env)
    assert done.returncode == 0, done.stderr
    state = tmp_path / "home" / ".local" / "state" / "postern"
    assert state.stat().st_mode & 0o777 == 0o700
    assert "alice@example.org" in postern("user", "list", env=env).stdout


def test_no_such_directory_for_us(tmp_path):
    (tmp_path / "file").write_text("")
    done = postern("user", "add", "alice", "--address", "alice@example.org", "--state", tmp_path / "file" / "state")
    assert done.returncode == 65 and f"{tmp_path}/file" in done.stderr and "Not a directory" in done.stderr
