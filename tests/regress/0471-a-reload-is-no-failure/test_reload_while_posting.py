"""WHY tells of it."""
import http.server
import smtplib
import threading

from postern_server import eventually


class Slow(http.server.ThreadingHTTPServer):
    """Answers nobody before it is let go."""
    daemon_threads = True

    def __init__(self):
        self.seen, self.go = [], threading.Event()
        super().__init__(("127.0.0.1", 0), Talk)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Talk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(self.headers["webhook-id"])
        self.server.go.wait(20)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_reload_over_a_post(make_server, tmp_path):
    receiver, secret = Slow(), tmp_path / "secret"
    secret.write_text("a secret of some length")
    secret.chmod(0o600)
    one = make_server(config=f'webhook = "http://127.0.0.1:{receiver.server_address[1]}/"\nwebhook-secret = "{secret}"\n').start()
    one.add_key()
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.sendmail("a@mail.example.org", ["b@example.net"], "From: a@mail.example.org\r\n\r\nhello\r\n")
    for n in range(1, 4):
        eventually(lambda n=n: len(receiver.seen) >= n, f"post {n}", 5)
        one.hup()
        one.await_event("reloaded", n)
    receiver.go.set()
    eventually(lambda: len(receiver.seen) == 4, "the last post", 5)
    assert len(set(receiver.seen)) == 1
    assert one.stop() == 0
    assert one.events("webhook-failed") == []
    receiver.shutdown()
