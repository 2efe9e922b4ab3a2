"""Who may write the certificate's files must not be able to stop the master."""
import os
import signal

from postern_server import make_certificate, postern


def test_a_pipe_for_a_certificate(make_server, tmp_path):
    chain, key = make_certificate(tmp_path, "mail.example.org", "live")
    one = make_server(config=f'fronts = 1\ncertificate {{ chain = "{chain}" key = "{key}" }}\n').start()
    os.mkfifo(tmp_path / "pipe", 0o600)
    os.replace(tmp_path / "pipe", key)
    try:
        assert str(key) in one.await_event("certificate-refused", patience=10)["why"]
        done = postern("check", *one.options, timeout=10)
        assert done.returncode != 0 and str(key) in done.stderr and "plain file" in done.stderr
        os.kill(one.children()["front:0"], signal.SIGKILL)
        one.await_event("child-ready", child="front", patience=10)
    finally:
        # Whoever waits for it goes on, and ends.
        os.close(os.open(key, os.O_RDWR | os.O_NONBLOCK))
    assert one.stop() == 0
