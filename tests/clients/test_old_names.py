"""Names as programs of old write them: in a comment behind the address, in Latin-1. RFC 2047 5 (2); RFC 1428 3; RFC 5322 3.4."""

import email
import email.header

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, message, *arguments, offers=("8BITMIME", "SMTPUTF8")):
    with ScriptedServer(offers=offers) as server:
        done = submit(tmp_path, server, *arguments, input=message)
    assert (done.returncode, done.stderr) == (0, b""), done
    return server.messages[0], email.message_from_bytes(server.messages[0]["content"])


@pytest.mark.parametrize("value, shown", [
    ("a@x.org (Jürgen)", "a@x.org (Jürgen)"), ("(Jürgen \\(ü\\)) a@x.org", "(Jürgen (ü)) a@x.org"), ("bob (Jürgen), b@x.org (\"Ö\")", 'bob@example.org (Jürgen), b@x.org ("Ö")'),
    ("a@x.org (" + "Ü" * 100 + ")", "a@x.org (" + "Ü" * 100 + ")"), ("Jürgen <a@x.org> (im Büro)", "Jürgen <a@x.org> (im Büro)"),
    ("a@x.org (ä (ö) ü)", "a@x.org (ä (ö) ü)"), ("Team: a@x.org (ä), b@x.org;", "Team: a@x.org (ä), b@x.org;"),
])
def test_comments(tmp_path, value, shown):
    mail, message = sent(tmp_path, f"From: {value}\nCc: {value}\n\nx\n".encode(), "c@example.net")
    assert "SMTPUTF8" not in mail["mail"] and mail["content"].isascii() and all(len(line) < 79 for line in mail["content"].split(b"\r\n"))
    for name in ("From", "Cc"):
        assert "".join(str(email.header.make_header(email.header.decode_header(message[name]))).split()) == "".join(shown.split())


@pytest.mark.parametrize("value, addresses", [
    ("Jürgen <j@x.org>", ["j@x.org"]), ("\"Ä, Ö\" <a@x.org>, plain@x.org, Ü (ß) <u@x.org>", ["a@x.org", "plain@x.org", "u@x.org"]),
    ("Gruppe Ä: a@x.org, b@x.org;", ["a@x.org", "b@x.org"]), ("j@x.org (Jürgen)", ["j@x.org"]), ("Jürgen <bob>", ["bob@example.org"])])
def test_latin_1_names_of_recipients(tmp_path, value, addresses):
    mail, _ = sent(tmp_path, b"To: c@x.org\nCc: " + value.encode("latin-1") + b"\n\nx\n", "-t")
    assert mail["rcpt"] == ["c@x.org", *addresses]
    assert "SMTPUTF8" not in mail["mail"] or "ß" in value
    assert b"<bob@example.org>" in mail["content"] or "bob" not in value


@pytest.mark.parametrize("value", ["jürgen@x.org", "j@zürich.example", "<jürgen>", "ü <j\xfc@x.org>"])
def test_latin_1_addresses_are_none(tmp_path, value):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "-t", input=b"To: " + value.encode("latin-1") + b"\n\nx\n")
    assert done.returncode == 65 and b"line 1" in done.stderr and not server.sessions, done
