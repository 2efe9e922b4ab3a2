"""The name of -F is in the From that is made, however long it is and in whatever charset. cli-1; RFC 2047 2, 5; RFC 1428 3; RFC 5322 2.1.1."""

import email
import email.header

import pytest

from scripted_server import ScriptedServer, submit


def made(tmp_path, name, text=b"x\n", field="From"):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "-F", name, "a@example.net", input=text)
    assert (done.returncode, done.stderr) == (0, b""), done
    content = server.messages[0]["content"]
    head = content.split(b"\r\n\r\n")[0]
    assert head.isascii() and all(len(line) <= (998 if len(name) < 500 and str(name).isascii() else 76) for line in head.split(b"\r\n"))
    words = email.message_from_bytes(content)[field]
    assert words.endswith("<alice@example.org>"), words
    return email.header.decode_header(words)


NAMES = {"short": "Jürgen", "russian": "Служба поддержки пользователей", "japanese": "株式会社例示カスタマーサポートセンター御中", "46 octets": "Ü" * 23,
         "mixed": "Alice " * 40 + "Ö", "many": "ö" * 500}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field, text", [("From", b"x\n"), ("Resent-From", b"Resent-To: b@example.net\nFrom: c@example.net\n\nx\n")], ids=["from", "resent"])
def test_utf_8(tmp_path, name, field, text):
    words = made(tmp_path, NAMES[name], text, field)
    assert "".join(part.decode(charset) for part, charset in words if charset) == NAMES[name]


def test_latin_1(tmp_path):
    words = made(tmp_path, "Jürgen Groß".encode("latin-1"))
    assert words[0] == ("Jürgen Groß".encode("latin-1"), "unknown-8bit"), words


@pytest.mark.parametrize("letter", ["A", "A b ", '"\\'])
def test_long(tmp_path, letter):
    name = letter * (1200 // len(letter))
    assert b"".join(part for part, charset in made(tmp_path, name) if charset).decode() == name
