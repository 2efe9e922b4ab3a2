"""Damage in the history's file that nobody meets but what forgets old messages. regress 0279, docs/history.md"""
import sqlite3

from test_history import only, submit

PAGE, OLD = 8192, 1000


def test_damage_that_only_forgetting_meets(make_server):
    one = make_server(config="").start()
    one.add_key()
    only(one, submit(one, "b@example.net"))
    assert one.stop() == 0
    path = one.state / "history" / "history.db"
    base = sqlite3.connect(path)
    base.executemany("INSERT INTO message(id, arrival, size, flags, rcpts) VALUES(?, 0, 1, 0, 1)", ((i,) for i in range(1, OLD)))
    base.executemany("INSERT INTO attempt VALUES(?, 0, ?, 0, 1, 0, 250, 1, '2.0.0', 'host', 'none', ?, NULL)",
                     ((i, i, f"word number {i:06}") for i in range(1, OLD)))
    base.commit()
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    octets = bytearray(path.read_bytes())
    page = octets.index(b"word number %06d" % (OLD // 2)) // PAGE * PAGE
    octets[page:page + PAGE] = b"\xa5" * PAGE
    path.write_bytes(octets)
    one.start()
    one.await_event("history-damaged", patience=10)
    after = submit(one, "b@example.net")
    assert only(one, after)["id"] == after
    assert len(list(path.parent.glob("damaged-*.db"))) == 1
    assert one.stop() == 0
