"""Held mail as the operator sees it: hold, show, restart, release, purge. docs/guard.md"""
import json

import pytest

from postern_server import eventually, postern
from road import QUICK, queue, show, submit, waiting


def held(server):
    return {m["id"] for m in json.loads(queue(server, "list", "--held", "--json"))}


@pytest.fixture
def dead_end(world):
    """A server whose next hop answers nobody, with two messages of alice's laptop and one of bob's in the queue."""
    hop = world.hop("127.0.0.2")
    hop.close()
    server = world.serve(QUICK, relay=f"smtp://127.0.0.2:{world.port}")
    key = server.key
    server.add_key("bob", "@sender.example", "phone")
    bob = submit(server, "z@one.example")
    server.login, server.key = "alice", key
    alice = [submit(server, "x@one.example"), submit(server, "y@one.example")]
    eventually(lambda: len(server.events("deferred")) >= 1, "a try that failed")
    return world, server, alice, bob


def test_hold_restart_release(dead_end):
    world, server, alice, bob = dead_end
    assert queue(server, "hold", "--principal", "alice") == "held: 2 messages\n"
    for whom, count in (["--principal", "alice"], 2), ([alice[0]], 1):
        again = postern("queue", "hold", *whom, *server.options)
        assert (again.returncode, again.stdout, again.stderr) == (0, "held: 0 messages\n", f"postern queue: {count} held already\n")
    assert queue(server, "hold", "--principal", "alcie", code=66) == "postern queue: nothing of that login waits\n"
    assert "no such message" in queue(server, "hold", "0" * 11 + "1", code=66)
    assert held(server) == set(alice)
    assert server.await_event("held", login="alice")["messages"] == "2"
    assert server.stop() == 0
    server.start()
    assert held(server) == set(alice)
    assert {m["id"] for m in waiting(server)} == {*alice, bob}
    one = show(server, alice[0])
    assert one["held"] and one["why_held"] == "an operator wants it held" and one["being_tried"] is False
    words = queue(server, "show", alice[0])
    assert f"held since {one['held']}: an operator wants it held" in words
    assert f"postern queue release {alice[0]}" in words
    assert show(server, bob)["held"] is None
    # Everybody answers again: what is held waits all the same, retried or not.
    hop = world.hop("127.0.0.2")
    queue(server, "retry", "all")
    eventually(lambda: len(hop.mails) == 1, "bob's mail", 20)
    assert queue(server, "retry", alice[0], code=66) == "postern queue: that message is held; release it first\n"
    assert held(server) == set(alice)
    assert queue(server, "release", alice[1]) == "released, to be tried now: 1 message\n"
    eventually(lambda: len(hop.mails) == 2, "the one that was released")
    assert queue(server, "release", "--principal", "alice/first") == "released, to be tried now: 1 message\n"
    eventually(lambda: len(hop.mails) == 3 and not waiting(server), "the last one")
    assert sorted(m[1][0] for m in hop.mails) == [f"RCPT TO:<{x}@one.example>" for x in "xyz"]


def test_purge(dead_end):
    world, server, alice, bob = dead_end
    for verb in ("purge", "release"):
        assert queue(server, verb, "--principal", "alice", code=66) == "postern queue: nothing of that login is held\n"
    assert "not held" in queue(server, "purge", alice[0], code=66)
    queue(server, "hold", alice[0])
    queue(server, "hold", bob)
    assert held(server) == {alice[0], bob}
    assert queue(server, "purge", "--principal", "alice") == "dropped for good: 1 message\n"
    assert queue(server, "purge", bob) == "dropped for good: 1 message\n"
    server.stop()
    server.start()
    assert [m["id"] for m in waiting(server)] == [alice[1]]
    hop = world.hop("127.0.0.2")
    queue(server, "retry", "all")
    eventually(lambda: hop.mails and not waiting(server), "the last one")
    assert [m[1] for m in hop.mails] == [["RCPT TO:<y@one.example>"]]


@pytest.mark.parametrize("words, complaint", [
    (["hold"], "the queue id, or --principal LOGIN, is missing"),
    (["hold", "--principal", ""], "that is not a login"),
    (["hold", "--principal", "x" * 256], "that is not a login"),
    (["release", "nonsense!"], "not a queue id: nonsense!"),
    (["purge", "0123456789abc", "--principal", "alice"], "either a queue id or --principal, not both"),
    (["drop", "--principal", "alice"], "--principal goes with hold, release and purge"),
    (["show", "--held"], "--held goes with list"),
    (["hold", "--principal"], "--principal: needs a value behind it"),
])
def test_what_makes_no_sense(words, complaint):
    done = postern("queue", *words)
    assert done.returncode == 64
    assert complaint in done.stderr.splitlines()[0]
