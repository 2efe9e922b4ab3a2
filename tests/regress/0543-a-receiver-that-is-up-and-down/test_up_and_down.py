"""A webhook's receiver that answers every other post is said to have failed once, not at every other post."""
import http.server
import smtplib
import threading

from postern_server import eventually


class Moody(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.asked, self.taken = 0, set()
        super().__init__(("127.0.0.1", 0), Talk)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Talk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        busy = self.server.asked % 2
        if not busy:
            self.server.taken.add(self.headers["webhook-id"])
        self.send_response(503 if busy else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_it_is_said_once(make_server, tmp_path):
    receiver, secret = Moody(), tmp_path / "secret"
    secret.write_text("a secret of some length")
    secret.chmod(0o600)
    one = make_server(config=f'webhook = "http://127.0.0.1:{receiver.server_address[1]}/"\nwebhook-secret = "{secret}"\n').start()
    one.add_key()
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        for n in range(6):
            smtp.sendmail("a@mail.example.org", ["b@example.net"], f"From: a@mail.example.org\r\nSubject: {n}\r\n\r\nhello\r\n")
    eventually(lambda: len(receiver.taken) == 6, "all posts")
    assert one.stop() == 0
    receiver.shutdown()
    assert receiver.asked >= 12
    assert len(one.events("webhook-failed")) == 1 and len(one.events("webhook-works")) <= 1
