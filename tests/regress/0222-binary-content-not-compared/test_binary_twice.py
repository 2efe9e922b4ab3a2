"""3030-5: the content of a binary message is part of what makes a submission the same"""
import smtplib

import pytest

HEAD = b"From: alice@example.org\r\nTo: x@example.net\r\nMessage-ID: <1@laptop.example>\r\n\r\n"


@pytest.fixture
def client(make_server):
    server = make_server()
    server.add_key("alice", "alice@example.org", "laptop")
    server.start()
    context = server.context()
    context.check_hostname = False      # smtplib asks for the address that it connects to
    with smtplib.SMTP_SSL(server.host, server.submissions, context=context, timeout=30, local_hostname="laptop.example") as client:
        client.ehlo()
        client.login("alice/laptop", server.key)
        yield client
    assert server.stop() == 0


def reply(client, content):
    assert client.mail("alice@example.org", ["BODY=BINARYMIME"])[0] == 250
    assert client.rcpt("x@example.net")[0] == 250
    client.send(b"BDAT %d LAST\r\n" % len(HEAD + content) + HEAD + content)
    return client.getreply()


def test_same_header_other_content(client):
    first = reply(client, b"one\0\nline")
    assert first[0] == 250
    assert reply(client, b"one\0\nline") == first
    assert reply(client, b"two\0\nline")[0] == 250
    assert reply(client, b"two\0\nline") != first
