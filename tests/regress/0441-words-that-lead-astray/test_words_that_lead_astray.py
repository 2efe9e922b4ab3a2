"""The likely mistakes of a configuration are refused with words that say what is right."""
import pytest

from postern_server import postern

MISTAKES = {
    'listen-submissions = { "127.0.0.1:465" "[::1]:465" }': ('KEY = { "ONE", "OTHER" }', ""),
    'certificate { chain = "chain.pem" key = "/etc/postern/key.pem" }': ('"chain.pem" does not begin with /', '"/etc/postern/chain.pem"'),
    'relay = "submissions://me@smtp.example.net"': ('right would be relay-credentials = "/etc/postern/relay-password"', ""),
    'relay = "submissions://me:secret@smtp.example.net"': ("has a password in it", "relay-credentials"),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_what_is_right_is_said(tmp_path, line):
    conf = tmp_path / "postern.conf"
    conf.write_text(f'hostname = "mail.example.org"\n{line}\n')
    done = postern("check", "--config", conf, "--state", tmp_path / "state")
    assert done.returncode == 78
    assert all(words in done.stderr for words in MISTAKES[line]), done.stderr


def test_the_client_takes_no_password_in_a_url_either():
    done = postern("send", "--server", "submissions://me:secret@mail.example.org", "--from", "a@example.org", "b@example.net", input="Subject: x\n\nx\n")
    assert done.returncode == 78 and "has a password in it" in done.stderr, done.stderr


def test_the_password_is_not_repeated(tmp_path):
    """What is said at a reload stands in the log."""
    conf = tmp_path / "postern.conf"
    conf.write_text('hostname = "mail.example.org"\nrelay = "submissions://me:sec@ret@smtp.example.net"\n')
    done = postern("check", "--config", conf, "--state", tmp_path / "state")
    assert done.returncode == 78 and "sec" not in done.stderr and "ret@" not in done.stderr and "submissions://" in done.stderr, done.stderr
