"""alarm-command as the operator sets it. docs/guard.md"""
import pathlib
import shutil
import tempfile

import pytest
from postern_server import postern


@pytest.fixture
def place():
    """A folder that whoever runs the command reaches."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="alarm-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def check(make_server, command):
    server = make_server(config=f'alarm-command = "{command}"\n')
    return server, postern("check", *server.options)


def test_a_program_will_do(make_server, place):
    program = place / "alarm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    server, done = check(make_server, program)
    assert done.returncode == 0, done.stderr
    server.start()
    assert server.stop() == 0


@pytest.mark.parametrize("mode, words", [
    (0o644, "is not a program; right would be chmod 755"),
    (0o777, "may be changed by others; right would be chmod 755"),
    (0o775, "may be changed by others; right would be chmod 755"),
])
def test_modes(make_server, tmp_path, mode, words):
    program = tmp_path / "alarm"
    program.write_text("#!/bin/sh\n")
    program.chmod(mode)
    server, done = check(make_server, program)
    assert done.returncode == 78
    assert f'key "alarm-command": {program}: {words}' in done.stderr


@pytest.mark.parametrize("command, words", [
    ("/nowhere/at/all", "No such file or directory"),
    ("alarm", "does not begin with /"),
    ("/tmp", "is not a program"),
])
def test_no_program(make_server, command, words):
    _, done = check(make_server, command)
    assert done.returncode == 78
    assert words in done.stderr
