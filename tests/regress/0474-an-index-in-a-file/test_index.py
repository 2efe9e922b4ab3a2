"""WHY tells of it."""
from postern_server import eventually, postern


def test_no_index_in_a_file(make_server):
    one = make_server(config="").start()
    assert one.stop() == 0
    one.start()
    eventually(lambda: postern("queue", "where", *one.options, "nobody@example.org").returncode == 66, "an answer", 10)
    assert sorted(p.name for p in (one.state / "history").iterdir()) == ["history.db", "history.db-wal"]
    assert one.stop() == 0
