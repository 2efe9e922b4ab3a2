"""WHY tells of it."""
import base64
import hashlib
import hmac
import http.server
import smtplib
import threading

from postern_server import eventually


class Talk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_webhook_secret_with_crlf(make_server, tmp_path):
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Talk)
    receiver.taken = []
    threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret of some length\r\n")
    secret.chmod(0o600)
    one = make_server(config=f'webhook = "http://127.0.0.1:{receiver.server_address[1]}/"\nwebhook-secret = "{secret}"\n').start()
    one.add_key()
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.sendmail("a@mail.example.org", ["b@example.net"], "From: a@mail.example.org\r\n\r\nhello\r\n")
    headers, body = eventually(lambda: receiver.taken, "a post", 10)[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.digest(b"a secret of some length", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    assert one.stop() == 0
    receiver.shutdown()
