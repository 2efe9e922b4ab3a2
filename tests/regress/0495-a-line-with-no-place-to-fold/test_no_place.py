"""What grows over 998 octets where no line may be folded is not sent. RFC 5322 2.1.1."""
from scripted_server import ScriptedServer, submit


def field(head, tail):
    """A line of 998 octets: a quoted name as long as fits."""
    return f'{head}"{"a" * (998 - len((head + tail).encode()) - 2)}"{tail}'


def test_is_refused(tmp_path):
    line = field("To: [x, üüüüü:", "<u@example.org>;")
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "z@example.net", input=f"Subject: s\n{line}\n\nx\n".encode())
    assert done.returncode == 65 and not server.messages, done
    assert b"line 2" in done.stderr and b"998" in done.stderr, done


def test_what_does_not_grow_is_sent(tmp_path):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "z@example.net", input=f'Subject: s\n{field("To: [x, ", "<u@example.org>")}\n\nx\n'.encode())
    assert done.returncode == 0 and len(server.messages) == 1, done
