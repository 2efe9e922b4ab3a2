"""The exit status tells a lost connection from a refused login. cli-3; RFC 4954 4."""

import pytest

from postern_server import make_certificate
from scripted_server import ScriptedServer, submit


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.mark.parametrize("reply, status", [(b"", 75), (b"421 4.3.2 closing\r\n", 75), (b"454 4.7.0 later\r\n", 75), (b"nonsense\r\n", 75),
                                           (b"535 5.7.8 no\r\n", 77), (b"334 ????\r\n", 77)])
def test_status(tmp_path, tls, reply, status):
    with ScriptedServer(offers=["AUTH PLAIN"], replies={"AUTH": reply, "*": b""}, tls=tls) as server:
        done = submit(tmp_path, server, "a@example.net", account="password = secret", input=b"x\n")
    assert done.returncode == status, done


@pytest.mark.parametrize("offers", [[], ["AUTH XOAUTH2"]])
def test_no_way_to_log_in(tmp_path, tls, offers):
    with ScriptedServer(offers=offers, tls=tls) as server:
        done = submit(tmp_path, server, "a@example.net", account="password = secret", input=b"x\n")
    assert done.returncode == 77, done
