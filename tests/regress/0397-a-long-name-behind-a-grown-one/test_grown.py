"""What is written in encoded-words grows, and what stands behind it on its line is folded off. RFC 5322 2.1.1, 3.2.2, 3.4; RFC 2047 2."""
import email
import email.policy

import pytest

from scripted_server import ScriptedServer, submit


def field(head, tail, gap=""):
    """A line of 998 octets: a quoted name as long as fits."""
    room = 998 - len((head + gap + '""' + tail).encode())
    return f'{head}{gap}"{"a" * room}"{tail}'


@pytest.mark.parametrize("line", [field("To: üüüüü:", "<u>;"), field("Cc: \"üüüüü\":", "<u>;"), field("To: (ü)", "<u>"), field("To: x,(üü)", "<u>"),
                                  field("To: (ü\\))", "<u>")],
                         ids=["group", "quoted group", "comment", "second", "quoted parenthesis"])
def test_behind_what_grows(tmp_path, line):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "z@example.net", input=f"{line}\n\nx\n".encode())
    assert done.returncode == 0, done
    content = server.messages[0]["content"]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    written = b"".join(content.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    assert b"<u@example.org>" in written and b"=?" in written and not message.defects
