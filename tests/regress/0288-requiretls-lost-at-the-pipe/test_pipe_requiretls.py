"""sendmail -bs hands REQUIRETLS on, or refuses the message. 8689-1 8689-2."""
from contextlib import closing

import pytest

from peers import Hop
from sendmail_bs import converse


def submit(tmp_path, authority, tls, offers):
    with closing(Hop(implicit=authority.context("DNS:localhost") if tls else None, offers=[*offers, "PIPELINING"])) as hop:
        server = f"submissions://localhost:{hop.port}" if tls else f"smtp://127.0.0.1:{hop.port}"
        said = converse(tmp_path, server, ["EHLO here.example.org", "MAIL FROM:<alice@example.org> REQUIRETLS", "RCPT TO:<a@example.net>", "DATA",
                                           "From: alice@example.org", "", "hello", ".", "QUIT"], authority.ca)
        return said.splitlines(), [line for session in hop.sessions for line in session.lines]


def test_who_offers_it_is_asked_for_it(tmp_path, authority):
    said, heard = submit(tmp_path, authority, True, ["REQUIRETLS"])
    assert said[-2].startswith("250 ")
    assert [line for line in heard if line.startswith("MAIL")][0].split(" ")[-1] == "REQUIRETLS"


@pytest.mark.parametrize("tls, offers", [(True, []), (False, ["REQUIRETLS"])], ids=["not-offered", "in-clear"])
def test_who_does_not_gets_nothing(tmp_path, authority, tls, offers):
    said, heard = submit(tmp_path, authority, tls, offers)
    assert said[-2][0] == "5", said
    assert not [line for line in heard if line.startswith(("MAIL", "DATA"))]
