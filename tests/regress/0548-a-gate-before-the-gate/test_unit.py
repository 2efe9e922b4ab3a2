"""What the unit runs before the server refuses nothing that the server starts with."""
import shlex
import subprocess

import pytest
from postern_server import POSTERN, ROOT

OLD_KEY = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
UNIT = (ROOT / "docs" / "systemd" / "postern.service").read_text()


def before(config):
    """The commands whose failure ends the start (systemd.service(5)), for this build and configuration."""
    for line in UNIT.splitlines():
        key, _, command = line.partition("=")
        if key in ("ExecStartPre", "ExecCondition") and not command.startswith("-"):
            yield [POSTERN if word.endswith("/postern") else str(config) if word.endswith(".conf") else word for word in shlex.split(command)]


@pytest.mark.parametrize(("key", "text", "event"), [("country-database", "cut short", "country-database-refused"),
                                                    ("dns-trust-anchor", OLD_KEY, "trust-anchor-old")])
def test_what_the_server_starts_with(make_server, tmp_path, key, text, event):
    file = tmp_path / "file"
    file.write_text(text)
    one = make_server(config=f'{key} = "{file}"\nrelay = "mx"\ndns-server = "127.0.0.1@9"\n').start()
    one.await_event(event)
    for command in before(one.config):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
