"""Who cannot be named to a server without SMTPUTF8 is left out by name; the others get the message. 6531-6."""
from scripted_server import ScriptedServer, submit

TEXT = b"Subject: hello\n\nbody\n"


def test_the_other_one_gets_it(tmp_path):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", "ü@example.net", "b@example.net", input=TEXT)
    assert done.returncode == 65 and b"\xc3\xbc@example.net" in done.stderr and b"SMTPUTF8" in done.stderr
    assert b"b@example.net" not in done.stderr
    assert [(mail["rcpt"], "SMTPUTF8" in mail["mail"]) for mail in server.messages] == [(["b@example.net"], False)]


def test_alone(tmp_path):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", "ü@example.net", input=TEXT)
    assert done.returncode == 65 and b"SMTPUTF8" in done.stderr and done.stderr.count(b"\n") == 1 and not server.messages


def test_with_smtputf8_all_get_it(tmp_path):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "-i", "ü@example.net", "b@example.net", input=TEXT)
    assert done.returncode == 0 and server.messages[0]["rcpt"] == ["ü@example.net", "b@example.net"]


def test_an_international_message_goes_to_nobody(tmp_path):
    with ScriptedServer(offers=["8BITMIME"]) as server:
        done = submit(tmp_path, server, "-i", "b@example.net", input="To: ü@example.net\n\nbody\n".encode())
    assert done.returncode == 65 and b"SMTPUTF8" in done.stderr and not server.messages
