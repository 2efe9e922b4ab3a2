"""sendmail -bs hands on what each recipient was named with. 3461-1 3461-4 3461-5."""
from contextlib import closing

from peers import Hop
from sendmail_bs import converse


def submit(tmp_path, conversation):
    with closing(Hop(offers=["DSN", "PIPELINING"])) as hop:
        said = converse(tmp_path, f"smtp://127.0.0.1:{hop.port}", conversation)
        return said, [line for session in hop.sessions for line in session.lines]


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
    assert not [line for line in heard if "ENVID" in line or "NOTIFY" in line]
