"""What comes to no end of its own is posted too, so that who waits for a message's end does not wait for ever: docs/history.md."""
import json

from postern_server import eventually, postern

from test_history import LATER, submit, with_hop
from test_webhook import Receiver, check_signature, settings


def test_dropped_by_the_operator(make_server, tmp_path):
    receiver = Receiver()
    one = with_hop(make_server, settings(tmp_path, receiver, 'webhook-events = "dropped"\n'), later=LATER)
    dropped = submit(one, ["later@example.net", "b@example.net"], message_id="m1@example.org")
    purged = submit(one, "later@example.net")
    one.await_event("deferred", 2)
    for words in (("hold", purged), ("drop", dropped), ("purge", purged)):
        assert postern("queue", *words, *one.options).returncode == 0
    eventually(lambda: len(receiver.taken) == 2, "two events")
    for headers, body in receiver.taken:
        check_signature(headers, body)
    events = {e["id"]: e for e in (json.loads(b) for _, b in receiver.taken)}
    assert {k: (e["type"], e["how"], e["why"], e["recipients"]) for k, e in events.items()} == {
        dropped: ("dropped", "dropped", "", 2), purged: ("dropped", "purged", "", 1)}
    assert events[dropped]["message_id"] == "m1@example.org" and events[dropped]["login"] and "to" not in events[dropped]
    assert one.stop() == 0
