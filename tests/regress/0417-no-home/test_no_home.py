"""The accounts file of a user whose program has no $HOME. cli-5."""

import os
import pwd
import subprocess

import pytest

from postern_server import POSTERN
from scripted_server import ScriptedServer


@pytest.mark.skipif(os.getuid() != 0, reason="somebody else's home directory is needed")
@pytest.mark.parametrize("more", [{}, {"HOME": "relative"}, {"HOME": ""}])
def test_the_user_database_counts(tmp_path, more):
    """In a mount namespace of its own, where root's home has an accounts file."""
    home = pwd.getpwuid(0).pw_dir
    with ScriptedServer() as server:
        folder = tmp_path / "home" / ".config" / "postern"
        folder.mkdir(parents=True)
        (folder / "accounts").write_text(f'account default {{ server = "smtp://127.0.0.1:{server.port}"\nfrom = "alice@example.org" }}\n')
        (folder / "accounts").chmod(0o600)
        done = subprocess.run(["unshare", "-m", "sh", "-c", f'mount --bind "$1" {home} && exec "$2" sendmail a@example.net', "sh", tmp_path / "home",
                               POSTERN], input=b"x\n", capture_output=True, timeout=20, check=False, env={"PATH": os.environ["PATH"], **more})
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert done.returncode == 0 and [m["from"] for m in server.messages] == ["alice@example.org"], done
