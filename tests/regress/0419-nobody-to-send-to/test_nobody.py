"""A command line whose recipients are none. cli-3."""

import pytest

from scripted_server import ScriptedServer, submit


@pytest.mark.parametrize("command, arguments", [("send", ["--to", ""]), ("send", ["--to", "team:;"]), ("send", [""]), ("sendmail", [""]),
                                                ("sendmail", ["-i", "--", "", ","]), ("sendmail", ["-bv", "(nobody)"])])
def test_none_of_them_is_an_address(tmp_path, command, arguments):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, *arguments, command=command, input=b"x\n")
    assert done.returncode == 64 and not server.sessions and b"nobody to send to" in done.stderr, done


@pytest.mark.parametrize("command, arguments, text", [("send", ["--to", "", "--to", "a@example.net"], b"x\n"), ("sendmail", ["-t", ""], b"To: a@example.net\n\nx\n")])
def test_somebody_else_is(tmp_path, command, arguments, text):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, *arguments, command=command, input=text)
    assert done.returncode == 0 and server.messages[0]["rcpt"] == ["a@example.net"], done
