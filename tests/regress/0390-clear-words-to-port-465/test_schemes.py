"""Port 465 is TLS from the first octet on: whoever writes another scheme before it is told so, before anybody waits. RFC 8314 3.3, 8314-4."""
import pytest

from postern_server import postern

RIGHT = "right would be submissions://"


@pytest.mark.parametrize("scheme", ["submission", "smtp"])
def test_the_client_says_it_at_once(scheme):
    done = postern("send", "--server", f"{scheme}://mail.example.org:465", "--from", "a@example.org", "b@example.net", input="Subject: x\n\nx\n")
    assert done.returncode == 78
    assert RIGHT in done.stderr, done.stderr


@pytest.mark.parametrize("scheme", ["submission", "smtp"])
def test_check_says_it(tmp_path, scheme):
    conf = tmp_path / "postern.conf"
    conf.write_text(f'hostname = "mx.example.org"\nrelay = "{scheme}://mail.example.org:465"\n')
    done = postern("check", "--config", conf, "--state", tmp_path)
    assert done.returncode == 78
    assert f"{conf}:2: " in done.stderr and RIGHT in done.stderr, done.stderr


def test_the_right_one_is_taken(tmp_path):
    conf = tmp_path / "postern.conf"
    conf.write_text('hostname = "mx.example.org"\nrelay = "submissions://mail.example.org:465"\n')
    assert RIGHT not in postern("check", "--config", conf, "--state", tmp_path).stderr
