"""What `make install` leaves for systemd does what the documents say: the users are made, and the unit starts what was installed."""
import pathlib
import shlex
import shutil
import subprocess

import pytest
from postern_server import POSTERN, ROOT

SYSUSERS = ROOT / "docs" / "systemd" / "postern.sysusers"
USERS = [line for line in SYSUSERS.read_text().splitlines() if line.startswith("u ")]


@pytest.mark.parametrize("line", USERS, ids=lambda line: line.split()[1])
def test_no_description_parts_the_fields_of_passwd(line):
    description = shlex.split(line)[3]
    assert ":" not in description and description.isascii() and description.isprintable()


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="needs systemd-sysusers")
def test_all_users_are_made(tmp_path):
    (tmp_path / "etc").mkdir()
    there = tmp_path / "usr" / "lib" / "sysusers.d"
    there.mkdir(parents=True)
    shutil.copy(SYSUSERS, there / "postern.conf")
    done = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "postern.conf"], check=True, capture_output=True, text=True)
    made = [line.split(":")[0] for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    assert made == [line.split()[1] for line in USERS], done.stderr


def test_the_unit_is_installed_and_starts_what_is_installed(tmp_path):
    build = pathlib.Path(POSTERN).resolve().parent
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", tmp_path], check=True, capture_output=True)
    unit, = tmp_path.rglob("lib/systemd/system/postern.service")
    command, = [line.split("=", 1)[1] for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    assert (tmp_path / command.split()[0].lstrip("/")).is_file(), command
