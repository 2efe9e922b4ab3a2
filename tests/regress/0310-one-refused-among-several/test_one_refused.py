"""sendmail -bs: who was refused is reported, who has the message is not sent it again. RFC 5321 6.1, 3461-7, 3464."""
from contextlib import closing

import pytest

from peers import Hop
from sendmail_bs import converse


def address(line):
    return line.split("<")[1].split(">")[0]


def submit(tmp_path, refusals, rcpts, sender="alice@example.org"):
    """What it says of the message, and what the server has taken."""
    with closing(Hop({f"RCPT TO:<{rcpt}>": words for rcpt, words in refusals.items()}, offers=["DSN"])) as hop:
        said = converse(tmp_path, f"smtp://127.0.0.1:{hop.port}", [
            "EHLO here.example.org", f"MAIL FROM:<{sender}>", *[f"RCPT TO:{r}" for r in rcpts], "DATA",
            "From: alice@example.org", "Subject: to all of you", "", "hello", ".", "QUIT"])
        messages = [{"from": address(mail), "rcpt": [address(r) for r in to], "content": content.decode().replace("\r\n", "\n")}
                    for mail, to, content in hop.mails]
    return [line for line in said.splitlines() if line[3:4] != "-"][-2], messages


@pytest.mark.parametrize("words, action", [("550 5.1.1 nobody of that name", "failed"), ("450 4.2.1 come again", "failed")])
def test_who_was_refused_is_reported(tmp_path, words, action):
    said, messages = submit(tmp_path, {"b@example.net": words}, ["<a@example.net>", "<b@example.net>", "<c@example.net>"])
    assert said.startswith("250 "), said
    assert [m["rcpt"] for m in messages] == [["a@example.net", "c@example.net"], ["alice@example.org"]]
    report = messages[1]
    assert report["from"] == ""
    assert "report-type=delivery-status" in report["content"]
    assert "\nFinal-Recipient: rfc822; b@example.net\n" in report["content"]
    assert f"\nAction: {action}\n" in report["content"]
    assert f"\nStatus: {words.split(' ')[1]}\n" in report["content"]
    assert "a@example.net\n" not in report["content"] and "Subject: to all of you" in report["content"]


def test_nobody_has_it(tmp_path):
    said, messages = submit(tmp_path, {"b@example.net": "550 5.1.1 no"}, ["<b@example.net>"])
    assert said.startswith("554 ") and not messages


def test_one_could_have_it_later(tmp_path):
    said, messages = submit(tmp_path, {"a@example.net": "550 5.1.1 no", "b@example.net": "450 4.2.1 later"},
        ["<a@example.net>", "<b@example.net>"])
    assert said.startswith("451 ") and not messages


@pytest.mark.parametrize("sender, notify", [("alice@example.org", " NOTIFY=NEVER"), ("", "")])
def test_nobody_asked_for_a_report(tmp_path, sender, notify):
    said, messages = submit(tmp_path, {"b@example.net": "550 5.1.1 no"}, ["<a@example.net>", "<b@example.net>" + notify], sender)
    assert said.startswith("250 ") and len(messages) == 1
