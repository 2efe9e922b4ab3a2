"""Long lists of addresses are folded, with the domains they get, and behind commas. RFC 5322 2.1.1, 2.2.3, 3.4; cli-2."""

import email
import email.utils

import pytest

from scripted_server import ScriptedServer, submit


def sent(tmp_path, text, *arguments, status=0):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, *arguments, input=text.encode())
    assert done.returncode == status, done
    if status:
        return done.stderr.decode()
    mail = server.messages[0]
    assert max(map(len, mail["content"].split(b"\r\n"))) <= 998
    return mail["rcpt"], email.message_from_bytes(mail["content"])


def addresses(message, name):
    return [address for _, address in email.utils.getaddresses(message.get_all(name))]


@pytest.mark.parametrize("first", ["", "Jürgen <juergen>, ", "Team: x, y;, ", "a@zürich.example, "])
@pytest.mark.parametrize("separator", [", ", ",", ",\t", " , "])
@pytest.mark.parametrize("count", [2, 100, 180, 1000])
def test_domains(tmp_path, first, separator, count):
    names = [f"user{i}" for i in range(count)]
    rcpts, message = sent(tmp_path, f"To: {first}{separator.join(names)}\nCc: {separator.join(names)}\n\nx\n", "-t")
    assert rcpts[-count:] == [f"{name}@example.org" for name in names]
    assert addresses(message, "To")[-count:] == addresses(message, "Cc") == rcpts[-count:]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("field", ["To", "Bcc", "Resent-To"])
@pytest.mark.parametrize("form", ["{0}@example.net", '"{0},{0} {0}"<{0}@example.net>', "{0}@example.net(a,b)", '{0}<"{0},{0}"@example.net>'])
def test_commas(tmp_path, separator, field, form):
    listed = [form.format(f"user{i}") for i in range(300)]
    rcpts, message = sent(tmp_path, f"{field}:{separator.join(listed)}\n\nx\n", "-t")
    assert len(rcpts) == 300 and (field != "To" or "".join(message["To"].split()) == "".join(separator.join(listed).split()))
    if field == "To" and form[0] == '"':
        assert f'"{"user7,user7 user7"}"' in message["To"], "a name has changed"


def test_nowhere_to_fold(tmp_path):
    for text in ("To: " + "a" * 999 + "\n\n", "Subject: " + "a,b" * 400 + "\n\n", 'To: "' + "a," * 600 + '"@example.net\n\n', "To: <" + "@a," * 400 + ":a@example.net>\n\n"):
        assert "998 octets" in sent(tmp_path, text + "x\n", "a@example.net", status=65)


def test_what_is_signed_is_not_folded(tmp_path):
    listed = ",".join(f"user{i}@example.net" for i in range(100))
    assert "DKIM" in sent(tmp_path, f"To: {listed}\nDKIM-Signature: v=1\n\nx\n", "-t", status=65)
