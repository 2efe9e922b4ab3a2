"""Who sends when the user has an @ and nobody named a sender: the address it is, or the address it is a sender key of. cli-1."""
import os

import pytest

from postern_server import make_certificate, postern
from scripted_server import ScriptedServer, submit


def test_a_sender_key(make_server):
    server = make_server(config="").start()
    server.add_key("alice@example.org", "alice@example.org", "laptop")
    done = postern("send", "--server", f"submissions://localhost:{server.submissions}", "--user", "alice@example.org/laptop", "--ca", server.ca,
                   "--name", "Alice", "bob", input="Subject: x\n\nx\n", env=dict(os.environ, POSTERN_PASSWORD=server.key, HOME=str(server.folder)))
    assert (done.returncode, done.stderr) == (0, ""), done
    mail = server.await_mails()[0]
    assert b'\nFrom: "Alice" <alice@example.org>\n' in mail and b"Return-Path: <alice@example.org>" in mail and b"bob@example.org" in mail
    assert server.stop() == 0


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path, "localhost")


def sent(tmp_path, certificate, account, *arguments):
    with ScriptedServer(offers=["AUTH PLAIN"], replies={"AUTH": b"235 2.7.0 ok\r\n"}, tls=certificate) as server:
        done = submit(tmp_path, server, *arguments, "bob", account=f"password = x\n{account}", input=b"x\n")
    assert (done.returncode, done.stderr) == (0, b""), done
    return server.messages[0]["from"], server.messages[0]["rcpt"][0]


@pytest.mark.parametrize("user", ["alice@example.net", "alice@example.net/laptop", "alice@example.net/a/b"])
def test_addresses(tmp_path, certificate, user):
    assert sent(tmp_path, certificate, f'user = "{user}"\nfrom = ""') == ("alice@example.net", "bob@example.net")
    assert sent(tmp_path, certificate, f'user = "{user}"\nfrom = carol') == ("carol@example.net", "bob@example.net")
    assert sent(tmp_path, certificate, f'user = "{user}"\nfrom = ""', "-f", "root") == ("root@example.net", "bob@example.net")


@pytest.mark.parametrize("user", ["a b@example.net", "DOM\\\\\\\\alice@example.net", "alice@example.net@mail", "alice@", "@example.net", "alice@a..b", "a/b@"])
def test_what_is_no_address(tmp_path, certificate, user):
    sender, rcpt = sent(tmp_path, certificate, f'user = "{user}"\nfrom = ""')
    assert "example.net" not in sender and sender.split("@")[0].isalnum() and sender.split("@")[1] == rcpt.split("@")[1]
