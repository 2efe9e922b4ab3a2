"""A directory where the configuration wants a file is named by `postern check` and at the start, not by a process later on."""
import pytest

from postern_server import postern


@pytest.mark.parametrize("key", ["users-file", "passwd-file", "relay-ca-file", "dns-trust-anchor"])
def test_named(tmp_path, key):
    there = tmp_path / "there"
    there.mkdir(mode=0o700)
    conf = tmp_path / "postern.conf"
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\n{key} = "{there}"\n')
    done = postern("check", "--config", conf)
    assert done.returncode == 78
    assert f'{conf}:3: key "{key}": {there}: is a directory' in done.stderr, done.stderr


def test_accounts_that_are_not_there_yet(tmp_path):
    conf = tmp_path / "postern.conf"
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\nusers-file = "{tmp_path}/users"\n')
    done = postern("check", "--config", conf)
    assert done.returncode == 0, done.stderr
