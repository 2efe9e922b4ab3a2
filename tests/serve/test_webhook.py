"""Events are posted, signed, at least once: docs/history.md."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest
from postern_server import eventually, make_certificate, postern

from test_history import LATER, NEVER, submit, with_hop
from test_keys import found_in, memory_of


class Receiver(http.server.ThreadingHTTPServer):
    """Takes what is posted; the first `refuse` requests are answered 503."""
    daemon_threads = True

    def __init__(self, chain=None, key=None):
        self.taken, self.refused, self.refuse = [], [], 0
        super().__init__(("127.0.0.1", 0), Talk)
        if chain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain, key)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def types(self):
        return [json.loads(body)["type"] for _, body in self.taken]


class Talk(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refuse = self.server.refuse > 0
        self.server.refuse -= refuse
        (self.server.refused if refuse else self.server.taken).append((dict(self.headers), body))
        self.send_response(503 if refuse else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


SECRET = b"not a good secret, but ours"


def settings(folder, receiver, more="", scheme="http", host="127.0.0.1"):
    secret = folder / "webhook-secret"
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    return f'webhook = "{scheme}://{host}:{receiver.port}/events?a=b"\nwebhook-secret = "{secret}"\n' + more


def check_signature(headers, body, secret=SECRET):
    headers = {k.lower(): v for k, v in headers.items()}
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == "v1," + wanted and headers["content-type"] == "application/json"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    assert json.loads(body)["event_id"] == headers["webhook-id"]


def test_each_event(make_server, tmp_path):
    receiver = Receiver()
    one = with_hop(make_server, settings(tmp_path, receiver), later=[LATER], never=NEVER, x=LATER)
    ident = submit(one, ["later@example.net", "never@example.net"], message_id="m1@example.org")
    # The notice to the sender is a message, too.
    eventually(lambda: sorted(receiver.types()) == ["bounced", "deferred", "delivered", "delivered"], "four events", 20)
    for headers, body in receiver.taken:
        check_signature(headers, body)
    events = [json.loads(b) for _, b in receiver.taken]
    bounced, = [e for e in events if e["type"] == "bounced"]
    assert (bounced["id"], bounced["message_id"], bounced["to"], bounced["code"]) == (ident, "m1@example.org", "never@example.net", 550)
    assert bounced["reply_class"] == "mailbox" and all(e["reply_class"] for e in events if e["type"] == "deferred")
    assert not any("reply_class" in e for e in events if e["type"] == "delivered")
    assert len({e["event_id"] for e in events}) == 4
    held = submit(one, "x@example.net")
    assert postern("queue", "hold", held, *one.options).returncode == 0
    eventually(lambda: "held" in receiver.types(), "a held event", 10)
    assert "hook:0" in one.children()
    assert one.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of a process that is not dumpable")
def test_only_the_poster_knows_the_secrets(make_server, tmp_path):
    receiver = Receiver()
    one = with_hop(make_server, settings(tmp_path, receiver))
    submit(one, "b@example.net")
    eventually(lambda: "delivered" in receiver.types(), "the event")
    one.hup()
    one.await_event("reloaded")
    memories = {child: memory_of(pid) for child, pid in one.children().items()}
    secrets = {"the path": b"/events?a=b", "the key": SECRET}
    assert sorted(found_in(memories.pop("hook:0"), secrets)) == sorted(secrets)
    for child, memory in memories.items():
        assert not found_in(memory, secrets), child
    assert not found_in(memory_of(one.process.pid), {"the key": SECRET})


def test_tried_again_through_restarts(make_server, tmp_path):
    receiver = Receiver()
    receiver.refuse = 1000
    one = with_hop(make_server, settings(tmp_path, receiver, 'webhook-events = "delivered"\n'))
    idents = {submit(one, "b@example.net") for _ in range(5)}
    eventually(lambda: len(receiver.refused) >= 5, "refused posts", 10)
    one.await_event("webhook-failed")
    for name in ("hook:0", "history:0"):
        os.kill(one.children()[name], signal.SIGKILL)
    assert one.stop() == 0
    one.start()
    receiver.refuse = 0
    eventually(lambda: {json.loads(b)["id"] for _, b in receiver.taken} >= idents, "all of them", 30)
    # The same event has the same name, however often it is tried.
    names = {json.loads(b)["event_id"] for _, b in receiver.refused if json.loads(b)["id"] in idents}
    assert names == {json.loads(b)["event_id"] for _, b in receiver.taken}
    assert one.stop() == 0


def test_over_tls_with_a_base64_secret(make_server, tmp_path):
    chain, key = make_certificate(tmp_path, "localhost", stem="hook")
    receiver = Receiver(chain, key)
    one = make_server(config=settings(tmp_path, receiver, f'relay-ca-file = "{chain}"\n', "https", "localhost"))
    (tmp_path / "webhook-secret").write_bytes(b"whsec_" + base64.b64encode(SECRET) + b"\n")
    one.start()
    one.add_key()
    submit(one, "b@example.net")
    eventually(lambda: receiver.taken, "an event", 10)
    check_signature(*receiver.taken[0])
    assert one.stop() == 0


def test_an_untrusted_server_gets_nothing(make_server, tmp_path):
    chain, key = make_certificate(tmp_path, "localhost", stem="hook")
    receiver = Receiver(chain, key)
    one = make_server(config=settings(tmp_path, receiver, "", "https", "localhost")).start()
    one.add_key()
    submit(one, "b@example.net")
    assert "certificate" in one.await_event("webhook-failed")["why"]
    assert receiver.taken == [] and receiver.refused == []
    assert one.stop() == 0


@pytest.mark.parametrize("line, words", [
    ('webhook = "http://hooks.example.org/x"', "not encrypted"),
    ('webhook = "ftp://127.0.0.1/"', "https://"),
    ('webhook = "https://hooks.example.org/a b"', "octets in its path"),
    ('webhook = "https://hooks.example.org/"', "webhook-secret names no file"),
    ('webhook = "https://hooks.example.org/"\nwebhook-secret = "/nowhere"\nhistory = no', "needs history"),
    ('webhook-events = "delivered opened"', "delivered, deferred, bounced, held and dropped"),
])
def test_wrong_settings_are_named(make_server, line, words):
    one = make_server(config=line + "\n")
    done = postern("check", *one.options)
    assert done.returncode == 78 and words in done.stdout + done.stderr, done.stdout + done.stderr


def test_what_is_too_much_is_dropped(make_server, tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        receiver = type("Nobody", (), {"port": nobody.getsockname()[1]})
        one = make_server(config=settings(tmp_path, receiver, "webhook-most = 3\n")).start()
        one.add_key()
        for _ in range(6):
            submit(one, "b@example.net")
        one.await_event("webhook-dropped", patience=20)
        assert one.stop() == 0
