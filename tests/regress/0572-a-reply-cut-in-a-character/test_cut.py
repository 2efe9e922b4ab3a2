"""What is kept of a reply is text, wherever it is cut and whatever came."""
import json

import pytest

from peers import LATER, World, only
from postern_server import eventually
from road import QUICK, World as Road, queue, submit


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


@pytest.fixture
def world(make_server):
    one = Road(make_server)
    yield one
    one.close()


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("character", ["\u00e4", "\u4fe1", "\U0001f4ed"])
def test_a_long_reply_ends_with_a_whole_character(beds, before, character):
    got = only(beds.smart(beds.hop({"RCPT": "450 " + before + character * 300})).deliver(["b@x.example"]))
    assert got.cls == LATER and 396 < len(got.text.encode()) <= 400, got
    assert got.text == before + character * (len(got.text) - len(before)), got


def test_octets_that_are_no_characters(beds):
    got = only(beds.smart(beds.hop({"RCPT": "450 Postf\udce4cher voll \udcc3( \x1b[31m \u00e4"})).deliver(["b@x.example"]))
    assert got.text == "Postf?cher voll ?( ?[31m \u00e4", got


def test_the_operator_can_read_it(world):
    world.hop("127.0.0.2", {"RCPT": "450 4.2.0 " + "\u4fe1" * 200})
    world.names({"one.example": "127.0.0.2"})
    server = world.serve(QUICK)
    id = submit(server, "b@one.example")
    eventually(lambda: json.loads(queue(server, "show", id, "--json"))["attempts"] > 0, "a try")
    assert json.loads(queue(server, "show", id, "--json"))["to"][0]["text"].startswith("4.2.0 \u4fe1\u4fe1")
