"""sendmail -bs hands on what each recipient was named with. 3461-1 3461-4 3461-5."""

import scripted_server


def submit(tmp_path, conversation):
    with scripted_server.ScriptedServer(offers=["DSN", "PIPELINING"]) as server:
        done = scripted_server.submit(tmp_path, server, "-bs", input="\r\n".join(conversation).encode() + b"\r\n")
    return done.stdout.decode(), server.sessions[-1]


def test_each_recipient_keeps_his_own(tmp_path):
    said, heard = submit(tmp_path, [
        "EHLO here.example.org", "MAIL FROM:<alice@example.org> RET=HDRS ENVID=QQ+2B1",
        "RCPT TO:<a@example.net> NOTIFY=NEVER", "RCPT TO:<b@example.net>",
        "RCPT TO:<c@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first+2B@example.com",
        "DATA", "From: alice@example.org", "", "hello", ".", "QUIT"])
    assert "\n221 " in said
    mail = next(line for line in heard if line.startswith("MAIL"))
    rcpts = {line.split("<")[1].split(">")[0][0]: line for line in heard if line.startswith("RCPT")}
    assert mail.endswith(" RET=HDRS ENVID=QQ+2B1")
    assert rcpts["a"].split(" ")[2:3] == ["NOTIFY=NEVER"]
    assert rcpts["b"].endswith("TO:<b@example.net>")
    assert rcpts["c"].endswith(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first+2B@example.com")


def test_the_next_message_begins_afresh(tmp_path):
    said, heard = submit(tmp_path, [
        "EHLO here.example.org", "MAIL FROM:<alice@example.org> ENVID=one", "RCPT TO:<a@example.net> NOTIFY=NEVER", "RSET",
        "MAIL FROM:<alice@example.org>", "RCPT TO:<a@example.net>", "DATA", "From: alice@example.org", "", "hello", ".", "QUIT"])
    assert "\n221 " in said
    assert not [line for line in heard[heard.index("RSET"):] if "ENVID" in line or "NOTIFY" in line]
