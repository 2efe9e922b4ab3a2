"""What a greylister has put off is tried again when he wants it, whether the server was started again meanwhile or not. RFC 6647."""
import datetime

from postern_server import eventually
from road import show, submit


def wait(server, id):
    """Seconds between the try and the next one."""
    entry = eventually(lambda: (lambda e: e["next_try"] and e)(show(server, id)), "when it is tried again", 10)
    tried, due = (datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in
                  (entry["to"][0]["when"], entry["next_try"]))
    return (due - tried).total_seconds()


def test_it_is_as_patient_as_before(world):
    world.hop("127.0.0.1", {"RCPT TO:<grey@": "451 4.7.1 Greylisted", "RCPT TO:<named@": "451 4.7.1 Greylisted, come back in 20 minutes",
                            "RCPT TO:<rate@": "450 4.7.1 too many messages, come back in 30 minutes", "RCPT TO:<other@": "450 4.2.0 busy"})
    world.names({"one.example": "127.0.0.1"})
    server = world.serve('retry-first = "1 min"\n')
    # The domain is held for a while once it has asked for less, so that one comes last.
    least = {"grey": 300, "named": 1200, "other": 50, "rate": 1800}
    ids = {}
    for number, name in enumerate(least, 1):
        ids[name] = submit(server, name + "@one.example")
        server.await_event("deferred", count=number)
    before = {name: wait(server, id) for name, id in ids.items()}
    for kind in (15, 9):
        server.stop(kind)
        server.start()
        after = {name: wait(server, id) for name, id in ids.items()}
        for name, seconds in least.items():
            for waits in (before, after):
                # An eighth is left to chance, and a second to rounding.
                assert seconds - 2 <= waits[name] <= max(seconds, 60) * 9 / 8 + 2, (name, before, after)
