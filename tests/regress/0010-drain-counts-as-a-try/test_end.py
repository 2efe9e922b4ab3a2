"""What was not begun when the server was told to end is tried at once after its start (see WHY)."""
from postern_server import eventually
from road import await_empty, in_content, submit


def test_tried_at_once(world):
    hop = world.hop("127.0.0.2", slow=1)
    world.names({"one.example": "127.0.0.2"})
    server = world.serve("relay-concurrency = 1\n")        # retry-first is a minute
    for i in range(4):
        submit(server, f"b{i}@one.example")
    eventually(lambda: in_content(hop), "the first one under way")
    assert server.stop() == 0
    hop.slow = 0
    server.start()
    eventually(lambda: len(hop.mails) == 4, "the others", 10)
    await_empty(server)
    assert not server.events("deferred") and len(server.events("delivered")) == 4
