"""WHY tells of it."""
from postern_server import postern


def test_what_is_said_of_a_link(make_server, tmp_path):
    one = make_server(config="")
    one.state.mkdir(0o700)
    assert postern("user", "domain", "add", *one.options, "example.org").returncode == 0
    key = sorted((one.state / "dkim" / "example.org").glob("*.pem"))[0]
    key.rename(tmp_path / "key.pem")
    key.symlink_to(tmp_path / "key.pem")
    done = postern("check", *one.options)
    assert done.returncode == 78
    assert f"{key}: a symbolic link, which is not followed: put the key itself here" in done.stderr
