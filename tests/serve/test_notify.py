"""Who supervises us is told how far we are (sd_notify(3)): `systemctl start` returns when mail is accepted, or fails with the server."""
import signal
import socket
import time

import pytest
from postern_server import PATIENCE

CONFIG = "fronts = 1\n"


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    """A datagram socket, and what NOTIFY_SOCKET says of it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@postern-{tmp_path.name}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(name.replace("@", "\0", 1) if name[0] == "@" else name)
        s.settimeout(PATIENCE)
        yield s, name


def told(s):
    return dict(line.split("=", 1) for line in s.recv(4096).decode().splitlines())


def test_a_life(make_server, supervisor):
    s, name = supervisor
    one = make_server(config=CONFIG, env={"NOTIFY_SOCKET": name}).launch()
    said = told(s)
    assert said["READY"] == "1" and "accept" in said["STATUS"]
    with socket.create_connection((one.host, one.submission), 5) as tcp:
        assert tcp.recv(4) == b"220 "
    before = time.monotonic_ns() // 1000
    one.hup()
    said = told(s)
    # Type=notify-reload compares it with when it sent the signal.
    assert said["RELOADING"] == "1" and before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert told(s)["READY"] == "1"
    assert one.events("reloaded")
    one.write_config("nonsense = 1\n")
    one.hup()
    assert told(s)["RELOADING"] == "1"
    said = told(s)
    assert said["READY"] == "1" and "refused" in said["STATUS"] and "nonsense" in said["STATUS"], said
    one.process.send_signal(signal.SIGTERM)
    assert told(s)["STOPPING"] == "1"
    assert one.stop() == 0
    s.settimeout(0.2)
    with pytest.raises(TimeoutError):
        s.recv(4096)


def test_a_start_that_fails(make_server, supervisor):
    s, name = supervisor
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = make_server(config=CONFIG, env={"NOTIFY_SOCKET": name})
        one.submission = taken.getsockname()[1]
        one.write_config(CONFIG)
        one.launch()
        assert one.process.wait(PATIENCE) != 0
    s.settimeout(0.2)
    with pytest.raises(TimeoutError):
        s.recv(4096)


@pytest.mark.parametrize("name", ["", "/nonexistent/notify", "vsock:2:1234", "relative", "@" + 200 * "x"])
def test_nobody_listens(make_server, name):
    one = make_server(config=CONFIG, env={"NOTIFY_SOCKET": name}).start()
    one.hup()
    one.await_event("reloaded")
    assert one.stop() == 0
