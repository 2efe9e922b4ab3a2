"""The path of control-socket may be in use by another program, or be a file."""
import os
import signal

from postern_server import postern


def test_a_living_socket_is_left_alone(make_server, tmp_path):
    line = f'control-socket = "{tmp_path}/control"\n'
    one, two = make_server(config=line).start(), make_server(config=line)
    assert two.launch().process.wait(20) == 75
    assert "another server listens on it" in two.log.read_text()
    assert postern("queue", "list", *one.options).returncode == 0
    assert one.stop() == 0


def test_a_dead_socket_is_replaced(make_server, tmp_path):
    one = make_server(config=f'control-socket = "{tmp_path}/control"\n').start()
    one.stop(signal.SIGKILL)
    assert (tmp_path / "control").is_socket()
    one.start()
    assert one.stop() == 0
    assert not os.path.lexists(tmp_path / "control")


def test_a_file_is_left_alone(make_server, tmp_path):
    (tmp_path / "control").write_text("letters of great worth")
    one = make_server(config=f'control-socket = "{tmp_path}/control"\n')
    assert one.launch().process.wait(20) != 0
    assert (tmp_path / "control").read_text() == "letters of great worth"
