"""Many messages for one dead destination all come back in time (see WHY). 5321-68."""
from postern_server import eventually
from road import LETTER, QUICK, SENDER, Report, await_empty, client

MANY = 40


def test_all_come_back(world):
    dead, sink = world.hop("127.0.0.2"), world.hop("127.0.0.9")
    dead.close()
    world.names({"one.example": "127.0.0.2", "sender.example": "127.0.0.9"})
    server = world.serve(QUICK + 'expire = "4 s"\ndelay-notice = "2 s"\n')
    with client(server) as smtp:
        for i in range(MANY):
            smtp.sendmail(SENDER, [f"b{i}@one.example"], LETTER)
    eventually(lambda: len(sink.mails) == 2 * MANY, "two notices about each", 20)
    await_empty(server)
    told = [Report(m) for m in sink.mails]
    assert len({r.people[0]["Final-Recipient"] for r in told if r.people[0]["Action"] == "delayed"}) == MANY
    over = [r for r in told if r.people[0]["Action"] == "failed"]
    assert len({r.people[0]["Final-Recipient"] for r in over}) == MANY
    assert all(r.people[0]["Status"] == "5.4.7" for r in over)
