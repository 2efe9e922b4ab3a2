"""`postern queue where`: what became of every message, kept through whatever ends a process. docs/history.md."""
import json
import os
import random
import re
import shutil
import signal
import smtplib
import sqlite3
import threading
import time

from peers import Hop
from postern_server import eventually, postern


def submit(one, to, subject="s", message_id=None, sender=None):
    """One message; the queue id of its 250."""
    sender = sender or f"a@{one.hostname}"
    extra = f"Message-ID: <{message_id}>\r\n" if message_id else ""
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.mail(sender)
        for rcpt in [to] if isinstance(to, str) else to:
            assert smtp.rcpt(rcpt)[0] == 250
        code, words = smtp.data(f"From: {sender}\r\nSubject: {subject}\r\n{extra}\r\nx\r\n")
        assert code == 250, words
    return re.search(rb"\b[0-9a-z]{12}\b", words).group(0).decode()


def where(one, what, *more):
    """The JSON answer, or None when nothing is known."""
    done = postern("queue", "where", what, "--json", *more, *one.options)
    assert done.returncode in (0, 66), (done.returncode, done.stderr)
    return json.loads(done.stdout) if done.returncode == 0 else None


def only(one, what):
    answer = where(one, what)
    assert answer is not None and len(answer["messages"]) == 1, answer
    return answer["messages"][0]


def segments(one):
    return {p.name for p in (one.state / "spool").glob("*.log")}


LATER, NEVER = "451 4.2.0 the mailbox is busy", "550 5.1.1 nobody here"


def plain_hop(**replies):
    """A next hop in clear that has these replies to recipients of such local parts: later=[LATER, LATER]; else it takes them."""
    return Hop({f"RCPT TO:<{name}@": said for name, said in replies.items()}, offers=["PIPELINING", "8BITMIME"])


def with_hop(make_server, more="", **replies):
    one = make_server(config=f'relay = "smtp://127.0.0.1:{plain_hop(**replies).port}"\nretry-first = "1 s"\n' + more)
    one.start()
    one.add_key()
    return one


def test_one_message_from_all_sides(server):
    ident = submit(server, "b@example.net", message_id="one.two@example.org")
    server.await_mails()
    for what in (ident, "one.two@example.org", "<ONE.two@example.org>", "B@example.net", f"a@{server.hostname}"):
        eventually(lambda: only(server, what)["to"][0]["state"] == "delivered", what, 5)
        m = only(server, what)
        assert m["id"] == ident and m["message_id"] == "one.two@example.org" and m["login"] and m["peer"] and "TLSv1" in m["tls"]
        attempt, = m["to"][0]["attempts"]
        assert attempt["class"] == "delivered" and attempt["host"] and attempt["attempt"] == 1
    assert where(server, "nobody@example.net") is None
    words = postern("queue", "where", ident, *server.options)
    assert words.returncode == 0 and "<b@example.net>: delivered" in words.stdout and "try 1" in words.stdout, words.stdout


def test_message_id_of_ours(server):
    ident = submit(server, "b@example.net")
    server.await_mails()
    name = re.search(rb"^Message-ID: <(.*)>", server.mails()[0], re.M).group(1).decode()
    assert only(server, name)["id"] == ident


def test_each_attempt(make_server):
    one = with_hop(make_server, later=[LATER, LATER], never=NEVER)
    ident = submit(one, ["later@example.net", "never@example.net", "now@example.net"])
    eventually(lambda: {t["to"]: t["state"] for t in only(one, ident)["to"]} == {
        "later@example.net": "delivered", "never@example.net": "bounced", "now@example.net": "delivered"}, "all ends", 20)
    to = {t["to"]: t for t in only(one, ident)["to"]}
    assert [a["code"] for a in to["later@example.net"]["attempts"]] == [451, 451, 250]
    assert [a["attempt"] for a in to["later@example.net"]["attempts"]] == [1, 2, 3]
    bad, = to["never@example.net"]["attempts"]
    assert (bad["code"], bad["status"], bad["class"], bad["text"]) == (550, "5.1.1", "bounced", "5.1.1 nobody here") and "127.0.0.1" in bad["host"]
    assert bad["policy"] == "opportunistic"
    # What a refusal means; nothing for what was delivered.
    assert bad["reply_class"] == "mailbox"
    assert [a["reply_class"] for a in to["later@example.net"]["attempts"]][2] is None
    assert all(a["reply_class"] for a in to["later@example.net"]["attempts"][:2])
    assert " (mailbox): 550 5.1.1 nobody here" in postern("queue", "where", ident, *one.options).stdout
    notice, = [e for e in only(one, ident)["events"] if e["event"] == "notice"]
    assert only(one, notice["notice"])["notification"]
    # One recipient of three is one recipient.
    assert [t["to"] for t in only(one, "now@example.net")["to"]] == ["now@example.net"]
    assert one.stop() == 0


def test_waiting_held_dropped(make_server):
    one = with_hop(make_server, x=LATER)
    ident = submit(one, "x@example.net")
    eventually(lambda: only(one, ident)["to"][0]["state"] == "deferred" and only(one, ident)["to"][0]["next_try"], "a next try", 10)
    assert postern("queue", "hold", ident, *one.options).returncode == 0
    assert only(one, ident)["to"][0]["state"] == "held"
    assert postern("queue", "release", ident, *one.options).returncode == 0
    assert only(one, ident)["to"][0]["state"] == "deferred"
    assert postern("queue", "drop", ident, *one.options).returncode == 0
    m = only(one, ident)
    assert m["to"][0]["state"] == "dropped" and [e["event"] for e in m["events"]] == ["held", "released", "dropped"]
    # Long after it has gone, and without a server.
    assert one.stop() == 0
    answer = where(one, ident)
    assert not answer["server_runs"] and answer["messages"][0]["to"][0]["state"] == "dropped"
    assert "not running" in postern("queue", "where", ident, *one.options).stdout


def test_without_a_server_that_was_killed(make_server):
    """Its write-ahead log is still there, and belongs to the answer."""
    one = make_server(config="").start()
    one.add_key()
    ident = submit(one, "b@example.net")
    eventually(lambda: only(one, ident)["to"][0]["state"] == "delivered", "its end")
    children = one.children().values()
    one.process.kill()
    one.process.wait()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "the end of all")
    answer = where(one, ident)
    assert not answer["server_runs"] and answer["messages"][0]["to"][0]["state"] == "delivered"
    one.start()
    assert only(one, ident)["id"] == ident and where(one, ident)["gaps"] == []
    assert one.stop() == 0


def test_newest_first_with_a_limit(server):
    ids = [submit(server, "b@example.net", subject=f"n{i}") for i in range(5)]
    assert [m["id"] for m in where(server, "b@example.net")["messages"]] == ids[::-1]
    answer = where(server, "b@example.net", "--limit", "2")
    assert [m["id"] for m in answer["messages"]] == ids[:2:-1] and answer["more"]


def test_off(make_server):
    one = make_server(config="history = no\n").start()
    one.add_key()
    ident = submit(one, "b@example.net")
    one.await_mails()
    done = postern("queue", "where", ident, *one.options)
    assert done.returncode == 69 and "no history is kept" in done.stderr
    assert "history:0" not in one.children() and not (one.state / "history" / "history.db").exists()
    assert one.stop() == 0


# ---- what cannot be known is said ----

def test_a_damaged_file_is_set_aside(make_server):
    one = make_server(config="").start()
    one.add_key()
    before = submit(one, "b@example.net")
    eventually(lambda: where(one, before), "the first")
    assert one.stop() == 0
    (one.state / "history" / "history.db").write_bytes(b"this is no database\n" * 5000)
    one.start()
    one.await_event("history-damaged")
    after = submit(one, "b@example.net")
    answer = where(one, after)
    assert len(answer["messages"]) == 1 and "set aside" in answer["gaps"][0]["what"]
    assert len(list((one.state / "history").glob("damaged-*.db"))) == 1
    words = postern("queue", "where", after, *one.options).stdout
    assert "The history has gaps" in words and "set aside" in words
    assert one.stop() == 0


def test_what_was_not_read_in_time_is_a_gap(make_server):
    one = make_server(config='segment-size = "64 KiB"\nhistory-backlog = "0"\nhabit-watch = no\n').start()
    one.add_key()
    first = submit(one, "b@example.net")
    eventually(lambda: only(one, first)["to"][0]["state"] == "delivered", "its end")
    pid = one.children()["history:0"]
    os.kill(pid, signal.SIGSTOP)
    before = segments(one)
    while segments(one) & before:
        submit(one, "b@example.net", subject="x" * 900)
    os.kill(pid, signal.SIGCONT)
    last = submit(one, "b@example.net")
    answer = where(one, last)
    assert len(answer["messages"]) == 1 and "were gone or damaged" in answer["gaps"][0]["what"]
    one.await_event("history-gap")
    # What was there before is there still.
    assert only(one, first)["to"][0]["state"] == "delivered"
    assert one.stop() == 0


def test_a_spool_put_back_from_a_copy(make_server, tmp_path):
    one = make_server(config="").start()
    one.add_key()
    submit(one, "b@example.net")
    one.await_mails()
    assert one.stop() == 0
    shutil.copytree(one.state / "spool", tmp_path / "copy", copy_function=shutil.copy2)
    one.start()
    lost = [submit(one, "b@example.net") for _ in range(5)]
    eventually(lambda: where(one, lost[-1]), "the last")
    assert one.stop() == 0
    shutil.rmtree(one.state / "spool")
    shutil.copytree(tmp_path / "copy", one.state / "spool", copy_function=shutil.copy2)
    one.start()
    after = [submit(one, "b@example.net") for _ in range(3)]
    for ident in lost + after:
        assert only(one, ident)["id"] == ident
    assert where(one, after[0])["gaps"], "nothing was said of it"
    assert one.stop() == 0


def test_history_begins_with_what_the_log_has(make_server):
    """Switched on later: what still waits is known, and how what is done has ended is not made up."""
    hop = plain_hop(waits=LATER)
    one = make_server(config=f'relay = "smtp://127.0.0.1:{hop.port}"\nhistory = no\n').start()
    one.add_key()
    waits, done = submit(one, "waits@example.net"), submit(one, "done@example.net")
    one.await_event("deferred")
    one.await_event("delivered")
    assert one.stop() == 0
    one.write_config(f'relay = "smtp://127.0.0.1:{hop.port}"\n')
    one.start()
    eventually(lambda: where(one, waits), "the log to be read")
    assert only(one, waits)["to"][0]["state"] == "deferred" and only(one, waits)["to"][0]["attempts"][0]["code"] == 451
    assert only(one, done)["to"][0]["state"] == "unknown"
    assert one.stop() == 0


# ---- what ends a process ----

def rows(one):
    """(ids, {(id, number): final attempts}, all attempts) of a server that was stopped."""
    with sqlite3.connect(f"file:{one.state}/history/history.db?mode=ro", uri=True) as db:
        ids = [i for i, in db.execute("SELECT message_id FROM message")]
        final = list(db.execute("SELECT id, number, count(*) FROM attempt WHERE class <> 1 GROUP BY id, number"))
        recipients = db.execute("SELECT count(*) FROM recipient").fetchone()[0]
        gaps = list(db.execute("SELECT words FROM gap"))
    return ids, final, recipients, gaps


def submit_until(one, end, acknowledged, name):
    n = 0
    while not end.is_set():
        n += 1
        message_id = f"{name}.{n}@example.org"
        try:
            submit(one, [f"r{n}@example.net", f"s{n}@example.net"], subject=message_id, message_id=message_id)
            acknowledged.append(message_id)
        except (OSError, smtplib.SMTPException, AssertionError):
            time.sleep(0.02)


def test_killed_again_and_again(make_server):
    """SIGKILL to 7_history, to 4_spool, to both: every acknowledged message is there once, every end of a recipient once."""
    rounds = int(os.environ.get("HISTORY_ROUNDS", "6"))
    one = make_server(config='segment-size = "64 KiB"\nretry-first = "1 s"\nhabit-watch = no\n').start()
    one.add_key()
    end, acknowledged, chance = threading.Event(), [], random.Random(1)
    threads = [threading.Thread(target=submit_until, args=(one, end, acknowledged, f"t{i}"), daemon=True)
               for i in range(2)]
    for t in threads:
        t.start()
    for r in range(rounds):
        time.sleep(chance.uniform(0.1, 0.4))
        victims = [["history:0"], ["spool:0"], ["history:0", "spool:0"]][r % 3]
        children = one.children()
        if r % 3 == 2:
            # So that there is something in the log that only the log has.
            os.kill(children["history:0"], signal.SIGSTOP)
            before = segments(one)
            eventually(lambda: len(segments(one) - before) >= 3, "segments that are not read")
        for name in victims:
            os.kill(children[name], signal.SIGKILL)
        eventually(lambda: all(one.children().get(name) not in (None, children[name]) for name in victims), "them again")
    end.set()
    for t in threads:
        t.join()
    wanted = list(acknowledged)
    assert len(wanted) > rounds
    eventually(lambda: postern("queue", "list", "--json", *one.options).stdout.strip() == "[]", "an empty queue")
    eventually(lambda: only(one, wanted[-1])["to"][1]["state"] == "delivered", "the last one in the history")
    assert one.stop() == 0
    ids, final, recipients, gaps = rows(one)
    assert gaps == [] and len(ids) == len(set(ids)) and set(wanted) <= set(ids), set(wanted) - set(ids)
    assert recipients == 2 * len(ids) == len(final) and all(n == 1 for _, _, n in final), [f for f in final if f[2] != 1]
