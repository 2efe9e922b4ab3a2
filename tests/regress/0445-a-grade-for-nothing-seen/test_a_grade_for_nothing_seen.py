"""What nobody could look at has no good grade, and what answers on a STARTTLS port has a name."""
import json
import socket
import threading

import pytest
from postern_server import postern

SAYS = {b"554 5.7.1 not today\r\n": ("SMTP in clear", "turned-away"), b"SSH-2.0-OpenSSH_9.2\r\n": ("something else", "other-protocol")}


@pytest.fixture
def server():
    """Says one thing to everybody; .says is what."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(s):
        with s:
            s.settimeout(3)
            try:
                s.sendall(listener_says[0])
                s.recv(512)
            except OSError:
                pass

    def run():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(s,), daemon=True).start()

    listener_says = [b""]
    threading.Thread(target=run, daemon=True).start()
    yield listener.getsockname()[1], listener_says
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("says", SAYS, ids=lambda says: says.decode().split()[0])
def test_kind_finding_and_no_grade(server, says):
    port, what = server
    what[0] = says
    done = postern("audit", "--json", "--timeout", "2", f"127.0.0.1:{port}/submission")
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert (endpoint["kind"], endpoint["grade"]) == (SAYS[says][0], None)
    assert SAYS[says][1] in [f["id"] for f in endpoint["findings"]]
