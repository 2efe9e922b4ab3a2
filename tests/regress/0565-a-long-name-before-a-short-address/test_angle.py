"""A line that grows too long by a domain is folded in front of "<", where there is nothing else. RFC 5322 2.1.1, 3.4."""
import email

import pytest

from scripted_server import ScriptedServer, submit

LONG = "a" * 985


@pytest.mark.parametrize("field", [f'To: "{LONG}"<u>', f'To:"{LONG}"<u>', f'To: x,\n "{LONG}"<u>, y', f'Cc: x,"{LONG}"<u>,y', f'To: "<>\\",{LONG[9:]}"<u>'],
                         ids=["behind a space", "without one", "in the second line", "behind a comma", "with angles"])
def test_in_front_of_the_address(tmp_path, field):
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        done = submit(tmp_path, server, "z@example.net", input=f"{field}\n\nx\n".encode())
    assert done.returncode == 0, done
    content = server.messages[0]["content"]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(content)
    assert '"\r\n <u@example.org>' in (message["To"] or "") + (message["Cc"] or "")
