"""Whoever still listens on a local socket at the start is given a moment to go."""
import socket
import threading

import pytest


@pytest.mark.parametrize("name", ["control", "ledger", "where"])
def test_one_that_is_about_to_go(make_server, name):
    server = make_server(config="").start()
    path = server.state / name
    assert path.is_socket()
    assert server.stop() == 0
    with socket.socket(socket.AF_UNIX) as old:
        path.unlink(missing_ok=True)
        old.bind(str(path))
        old.listen()
        gone = threading.Timer(1, old.close)
        gone.start()
        server.start()
        gone.join()
    assert server.stop() == 0
