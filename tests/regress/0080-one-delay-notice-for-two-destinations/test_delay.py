"""A message for two destinations that nobody answers for: the sender hears of both (see WHY). 3461-6."""
from postern_server import eventually
from road import QUICK, Report, submit


def delayed(sink):
    told = [Report(m) for m in sink.mails]
    return sorted(p["Final-Recipient"].split(";")[1].strip() for r in told for p in r.people if p["Action"] == "delayed")


def test_both_are_told_of_once(world):
    one, two, sink = world.hop("127.0.0.2"), world.hop("127.0.0.3"), world.hop("127.0.0.9")
    one.close()
    two.close()
    world.names({"one.example": "127.0.0.2", "two.example": "127.0.0.3", "sender.example": "127.0.0.9"})
    server = world.serve(QUICK + 'delay-notice = "2 s"\n')
    submit(server, ["a@one.example", "b@two.example"])
    both = ["a@one.example", "b@two.example"]
    eventually(lambda: len(delayed(sink)) == 2, "a delay notice for each destination", 20)
    assert delayed(sink) == both
    # And each of them once, whatever is tried again and whoever starts anew.
    server.stop()
    server.start()
    eventually(lambda: len(server.events("deferred")) >= 8, "more tries", 20)
    assert delayed(sink) == both
