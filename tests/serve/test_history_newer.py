"""A history that a newer version wrote: refused in words, left alone, and mail goes on. regress 0302, docs/history.md"""
import sqlite3

from test_history import only, submit


def version(one, number=None):
    base = sqlite3.connect(one.state / "history" / "history.db")
    before, = base.execute("PRAGMA user_version").fetchone()
    if number is not None:
        base.execute(f"PRAGMA user_version = {number}")
        base.commit()
    base.close()
    return before


def test_a_newer_history_is_left_alone(make_server):
    one = make_server(config="").start()
    one.add_key()
    first = submit(one, "b@example.net")
    only(one, first)
    assert one.stop() == 0
    ours = version(one, 99)
    one.start()
    closed = one.await_event("history-closed", patience=10)
    assert "newer version" in closed["why"] and "run that version again" in closed["remedy"]
    second = submit(one, "b@example.net")
    one.await_mails()
    assert one.stop() == 0
    assert version(one, ours) == 99 and not list((one.state / "history").glob("damaged-*"))
    # What was written meanwhile has waited in the log.
    one.start()
    assert only(one, first)["id"] == first and only(one, second)["id"] == second
    assert one.stop() == 0
