"""A process whose peer has gone puts what it opens next under the number that became free, and its cage lets it.

The flags of what was given to it nobody may change, nor shut it, and the cage knows that by its number. When 2_signer had ended, a
resolver's socket took its number and could not be made non-blocking: every question of 5_relay was answered SERVFAIL until its next start.
"""
import contextlib
import os
import signal
import socket

import pytest
from postern_server import eventually
from road import LETTER, SENDER, client


@contextlib.contextmanager
def without(server, name):
    """While the master is stopped nobody gives the others another."""
    os.kill(server.process.pid, signal.SIGSTOP)
    pid = server.children()[name]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z" and len(os.listdir(f"/proc/{pid}/task")) == 1,
               "the end of " + name)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_questions_are_answered(world):
    hop = world.hop()
    world.names({"one.example": "127.0.0.1", "two.example": "127.0.0.1"})
    server = world.serve()
    with client(server) as smtp:
        # The first question of all makes what the resolver has open for good.
        smtp.sendmail(SENDER, ["b@one.example"], LETTER)
        eventually(lambda: len(hop.mails) == 1, "the first mail")
        with without(server, "signer:0"):
            smtp.sendmail(SENDER, ["b@two.example"], LETTER)
            eventually(lambda: len(hop.mails) == 2, "the second mail", 10)


@pytest.mark.parametrize("peer", ["signer:0", "auth:0", "spool:0"])
def test_a_connection_is_ended(make_server, peer):
    """8314-6: one that is told why it is ended sees the end at once, and what it still sends does not cost it the words."""
    server = make_server(config="fronts = 1\n").start()
    with without(server, peer), socket.create_connection(("127.0.0.1", server.submissions), 5) as tcp:
        tcp.sendall(b"EHLO me\r\n")
        said = b""
        while more := tcp.recv(4096):
            said += more
        assert said.startswith(b"5") or said.startswith(b"4"), said
    assert server.stop() == 0
