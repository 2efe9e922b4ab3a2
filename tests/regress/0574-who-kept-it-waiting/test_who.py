"""A notification names the server, and the reply that it is about."""
import pytest

from road import QUICK, World, await_reports, submit


@pytest.fixture
def world(make_server):
    one = World(make_server)
    yield one
    one.close()


def told(world, script=None, more="", **hop):
    there = world.hop("127.0.0.2", script, **hop)
    back = world.hop("127.0.0.3")
    world.names({"one.example": "127.0.0.2", "sender.example": "127.0.0.3"})
    submit(world.serve(QUICK + more), "b@one.example")
    report, = await_reports(back)
    return report, " ".join(report.words.get_content().split()), "mx.one.example [127.0.0.2]:%d" % there.port


@pytest.mark.parametrize("script, last", [({"RCPT": "450 4.2.1 come back later"}, "450 4.2.1 come back later"),
                                          ({"MAIL": "DROP"}, "the next hop closed the connection")])
def test_expired(world, script, last):                                  # 5321-68, 3464-3
    report, words, server = told(world, script, 'expire = "2 s"\n')
    assert "given up after many tries; the last one: " + last in words and f"The server was {server}." in words, words
    one, = report.people
    assert one["Status"] == "5.4.7" and "Remote-MTA" not in one
    assert one["Diagnostic-Code"] == "x-postern; given up after many tries; the last one: " + last


def test_our_own_verdict(world):                                        # 1870-6
    _, words, server = told(world, offers=("SIZE 10",))
    assert "bigger than the peer takes" in words and f"The server was {server}." in words, words


def test_what_a_server_said_names_it_once(world):
    _, words, server = told(world, {"RCPT": "550 5.1.1 nobody"})
    assert f"{server} said: 550 5.1.1 nobody" in words and "The server was" not in words, words
