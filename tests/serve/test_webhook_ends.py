"""Events whose messages have been forgotten, and what of a webhook is nobody else's business. regress 0277 0280, docs/history.md"""
import sqlite3
import time

from postern_server import eventually
from test_history import only, submit
from test_webhook import Receiver, Talk, settings


class Slow(Talk):
    def do_POST(self):
        time.sleep(0.3)
        super().do_POST()


def test_many_events_of_forgotten_messages(make_server, tmp_path):
    """As after a long silence of the web server, when the history has been too small: some can be posted, more cannot be any more."""
    one = make_server(config="").start()
    one.add_key()
    idents = {submit(one, "b@example.net") for _ in range(7)}
    for ident in idents:
        eventually(lambda i=ident: only(one, i)["to"][0]["state"] == "delivered", ident)
    assert one.stop() == 0
    base = sqlite3.connect(one.state / "history" / "history.db")
    known = base.execute("SELECT id, number, sequence, at FROM attempt").fetchall()
    forgotten = [(i, 0, i, int(time.time() * 1000)) for i in range(1, 120)]
    base.executemany("INSERT INTO hook(id, number, sequence, at, event, tries, due) VALUES(?, ?, ?, ?, 1, 0, 0)", known + forgotten)
    base.commit()
    base.close()
    receiver = Receiver()
    receiver.RequestHandlerClass = Slow
    receiver.refuse = 7
    one.write_config(settings(tmp_path, receiver))
    one.start()
    pid = one.children()["history:0"]
    eventually(lambda: len(receiver.types()) == 7, "all that are known", 15)
    assert len(receiver.refused) == 7 and one.children()["history:0"] == pid
    eventually(lambda: remaining(one) == 0, "nothing that waits", 5)
    # Its path is as good as a password at many a service.
    assert one.events("webhook-failed")[0]["url"] == f"http://127.0.0.1:{receiver.port}"
    assert "a=b" not in one.log.read_text()
    assert one.stop() == 0


def remaining(one):
    """Read from a copy: the server has the file to itself."""
    for part in ("", "-wal"):
        source = one.state / "history" / ("history.db" + part)
        (one.folder / ("copy.db" + part)).write_bytes(source.read_bytes())
    base = sqlite3.connect(one.folder / "copy.db")
    count = base.execute("SELECT count(*) FROM hook").fetchone()[0]
    base.close()
    return count
