"""What `postern queue where` says of messages that milters, a release time or a second submission kept from a plain way."""
import http.server
import json
import re
import smtplib
import threading
import time

from postern_server import eventually, postern
from milters import Milter, packet

FROM = "a@mail.example.org"


def submit(one, to, name, *options):
    """The queue id of its 250."""
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.mail(FROM, list(options))
        assert smtp.rcpt(to)[0] == 250
        code, words = smtp.data(f"From: {FROM}\r\nMessage-ID: <{name}>\r\n\r\nx\r\n")
        assert code == 250, words
    return re.search(rb"\b[0-9a-z]{12}\b", words).group(0).decode()


def known(one, what):
    done = postern("queue", "where", what, "--json", *one.options)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer["messages"]) == 1 and answer["gaps"] == [], answer
    return answer["messages"][0]


class Posts(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.taken = []
        super().__init__(("127.0.0.1", 0), Post)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Post(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_every_record_of_the_log_is_understood(make_server):
    milter = Milter()
    one = make_server(config=f'milter = "{milter.place}"\nduplicate-window = "10 min"\n').start()
    one.add_key()
    later = submit(one, "b@example.net", "later@example.org", "HOLDFOR=3600")
    assert known(one, "later@example.org")["id"] == later
    assert postern("queue", "reschedule", later, "5h", *one.options).returncode == 0
    twice = submit(one, "c@example.net", "twice@example.org")
    assert submit(one, "c@example.net", "twice@example.org") == twice
    eventually(lambda: known(one, "twice@example.org")["to"][0]["state"] == "delivered", "its end")
    assert known(one, "twice@example.org")["id"] == twice and known(one, "c@example.net")["id"] == twice
    # Whose recipient it has heard of, and who is the same, it does not see the end of.
    assert sum(command == b"E" for talk in milter.seen for command, _ in talk) == 2
    assert postern("queue", "cancel", later, *one.options).returncode == 0
    message = known(one, later)
    event, = message["events"]
    assert message["to"][0]["state"] == "dropped" and (event["event"], event["why"]) == ("dropped", "before its release")
    assert one.stop() == 0
    milter.close()


def posting(tmp_path, posts, events):
    secret = tmp_path / "webhook-secret"
    secret.write_bytes(b"not a good secret, but ours")
    secret.chmod(0o600)
    return (f'webhook = "http://127.0.0.1:{posts.server_address[1]}/"\nwebhook-secret = "{secret}"\n'
            f'webhook-events = "{events}"\n')


def test_thrown_away_is_posted(make_server, tmp_path):
    """What was acknowledged and goes nowhere: discarded by a milter, cancelled before its release."""
    milter, posts = Milter(end=lambda seen: packet(b"d") if any(c == b"R" and b"<away@" in d for c, d in seen) else b""), Posts()
    one = make_server(config=f'milter = "{milter.place}"\n' + posting(tmp_path, posts, "delivered dropped")).start()
    one.add_key()
    away = submit(one, "away@example.net", "away@example.org")
    later = submit(one, "b@example.net", "later@example.org", "HOLDFOR=3600")
    assert postern("queue", "cancel", later, *one.options).returncode == 0
    eventually(lambda: len(posts.taken) == 2, "two posts")
    assert sorted((p["type"], p["id"], p["message_id"], p["how"], p["why"]) for p in posts.taken) == sorted([
        ("dropped", away, "away@example.org", "discarded", milter.place), ("dropped", later, "later@example.org", "dropped", "before its release")])
    assert one.stop() == 0
    milter.close()
    posts.shutdown()


def test_quarantine_is_one_hold(make_server, tmp_path):
    """regress 0304: one event, with the milter's reason, and one post to the webhook."""
    milter, posts = Milter(end=packet(b"q", b"looks like a bill\0")), Posts()
    one = make_server(config=f'milter = "{milter.place}"\n' + posting(tmp_path, posts, "held")).start()
    one.add_key()
    held = submit(one, "b@example.net", "held@example.org")
    event, = known(one, held)["events"]
    assert event["event"] == "held" and event["why"].endswith(": looks like a bill")
    eventually(lambda: posts.taken, "the post")
    # A second one would come with the first, or a second later.
    time.sleep(1.5)
    assert [(p["type"], p["id"], p["why"]) for p in posts.taken] == [("held", held, event["why"])]
    assert one.stop() == 0
    milter.close()
    posts.shutdown()
