"""The words do not depend on who was quicker. RFC 8314 3.3."""
import contextlib
import socket
import threading

import pytest
from postern_server import postern

ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"         # fatal, unexpected_message


@pytest.mark.parametrize("answer", [ALERT, b"220 mail.example.org ESMTP\r\n"])
def test_words(answer, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)
                connection.settimeout(5)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = postern("send", "--server", f"submissions://localhost:{port}", "--user", "a", "--from", "a@example.org", "b@example.net",
                       input="Subject: x\n\nx\n", env={"POSTERN_PASSWORD": "x", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
        thread.join(10)
    assert done.returncode == 76 and f"submission://localhost:{port}" in done.stderr, done.stderr
