"""Octets above 127 in X- fields and Organization go in encoded-words. RFC 2047 5 (1)."""

import email
import email.policy

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, message, offers=("8BITMIME", "SMTPUTF8")):
    with ScriptedServer(offers=offers) as server:
        done = submit(tmp_path, server, "a@example.net", input=message.encode())
    return done, server


@pytest.mark.parametrize("name", ["X-Mailer", "x-y", "X-A-Very-Long-Name-Of-A-Field-That-Somebody-Has-Made-Up", "Organization", "organization"])
@pytest.mark.parametrize("value", ["Müller-Shop 1.0", "plain, then Grüße aus Köln " * 20])
def test_such_fields(tmp_path, name, value):
    done, server = sent(tmp_path, f"{name}: {value}\nSubject: Grüße\n\nx\n")
    assert done.returncode == 0, done
    mail = server.messages[0]
    assert "SMTPUTF8" not in mail["mail"] and mail["content"].isascii()
    read = email.message_from_bytes(mail["content"], policy=email.policy.default)
    assert read[name].split() == value.split() and read["Subject"] == "Grüße"
    assert all(len(line) <= 78 for line in mail["content"].split(b"\r\n"))


@pytest.mark.parametrize("field", ["References: <ü@example.org>", "X: ü", "Keywords: ü"])
def test_what_may_have_structure_needs_more(tmp_path, field):
    done, server = sent(tmp_path, f"{field}\n\nx\n")
    assert done.returncode == 0 and server.messages[0]["mail"].endswith(" SMTPUTF8"), done


def test_signed_ones_stay(tmp_path):
    done, server = sent(tmp_path, "DKIM-Signature: v=1\nX-Y: ü\n\nx\n")
    assert done.returncode == 0 and "X-Y: ü".encode() in server.messages[0]["content"], done
