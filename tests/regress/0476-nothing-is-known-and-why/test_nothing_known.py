"""WHY tells of it."""
from postern_server import postern


def test_the_gap_is_told(make_server):
    one = make_server(config="").start()
    assert one.stop() == 0
    file = one.state / "history" / "history.db"
    file.write_bytes(b"this is no database" + file.read_bytes()[19:])
    one.start()
    one.await_event("history-damaged")
    done = postern("queue", "where", *one.options, "somebody@example.net")
    assert (done.returncode, "nothing is known of somebody@example.net" in done.stderr) == (66, True)
    assert "The history has gaps:" in done.stdout and "what it knew of older messages is not here" in done.stdout
    assert one.stop() == 0
