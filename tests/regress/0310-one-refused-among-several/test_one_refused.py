"""sendmail -bs: who was refused is reported, who has the message is not sent it again. RFC 5321 6.1, 3461-7, 3464."""

import os
import socket
import subprocess
import threading

import pytest

from postern_server import POSTERN


def serve(listener, messages, refusals):
    """One session after the other, until nobody comes any more."""
    listener.settimeout(10)
    for _ in range(4):
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        with conn, conn.makefile("rwb", buffering=0) as talk:
            talk.write(b"220 here\r\n")
            mail, content = {"rcpt": []}, None
            for line in iter(talk.readline, b""):
                line = line.rstrip(b"\r\n").decode()
                if content is not None:
                    content.append(line)
                    if line == ".":
                        messages.append(dict(mail, content="\n".join(content)))
                        content = None
                        talk.write(b"250 2.0.0 taken\r\n")
                    continue
                verb = line.split(" ")[0]
                reply = {"EHLO": b"250-here\r\n250 DSN\r\n", "DATA": b"354 go\r\n", "QUIT": b"221 2.0.0 bye\r\n"}.get(
                    verb, b"250 2.0.0 ok\r\n")
                if verb == "MAIL":
                    mail = {"from": line.split("<")[1].split(">")[0], "rcpt": []}
                if verb == "RCPT":
                    address = line.split("<")[1].split(">")[0]
                    reply = refusals.get(address, reply)
                    mail["rcpt"] += [address] if reply[:1] == b"2" else []
                if verb == "DATA":
                    content = []
                talk.write(reply)
                if verb == "QUIT":
                    break


def submit(tmp_path, refusals, rcpts, sender="alice@example.org"):
    messages = []
    conversation = ["EHLO here.example.org", f"MAIL FROM:<{sender}>", *[f"RCPT TO:{r}" for r in rcpts], "DATA",
        "From: alice@example.org", "Subject: to all of you", "", "hello", ".", "QUIT"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accounts = tmp_path / "accounts"
        accounts.write_text(f'account default {{ server = "smtp://127.0.0.1:{listener.getsockname()[1]}" }}\n')
        accounts.chmod(0o600)
        server = threading.Thread(target=serve, args=(listener, messages, refusals), daemon=True)
        server.start()
        done = subprocess.run([POSTERN, "sendmail", "-bs", "-C", str(accounts)], input="\r\n".join(conversation) + "\r\n",
            capture_output=True, text=True, timeout=20, env=dict(os.environ, HOME=str(tmp_path)))
        listener.shutdown(socket.SHUT_RDWR)
        server.join(10)
    replies = [line for line in done.stdout.splitlines() if line[3:4] != "-"]
    return replies[-2], messages


@pytest.mark.parametrize("words, action", [(b"550 5.1.1 nobody of that name\r\n", "failed"), (b"450 4.2.1 come again\r\n", "failed")])
def test_who_was_refused_is_reported(tmp_path, words, action):
    said, messages = submit(tmp_path, {"b@example.net": words}, ["<a@example.net>", "<b@example.net>", "<c@example.net>"])
    assert said.startswith("250 "), said
    assert [m["rcpt"] for m in messages] == [["a@example.net", "c@example.net"], ["alice@example.org"]]
    report = messages[1]
    assert report["from"] == ""
    assert "report-type=delivery-status" in report["content"]
    assert "\nFinal-Recipient: rfc822; b@example.net\n" in report["content"]
    assert f"\nAction: {action}\n" in report["content"]
    assert f"\nStatus: {words.decode().split(' ')[1]}\n" in report["content"]
    assert "a@example.net\n" not in report["content"] and "Subject: to all of you" in report["content"]


def test_nobody_has_it(tmp_path):
    said, messages = submit(tmp_path, {"b@example.net": b"550 5.1.1 no\r\n"}, ["<b@example.net>"])
    assert said.startswith("554 ") and not messages


def test_one_could_have_it_later(tmp_path):
    said, messages = submit(tmp_path, {"a@example.net": b"550 5.1.1 no\r\n", "b@example.net": b"450 4.2.1 later\r\n"},
        ["<a@example.net>", "<b@example.net>"])
    assert said.startswith("451 ") and not messages


@pytest.mark.parametrize("sender, notify", [("alice@example.org", " NOTIFY=NEVER"), ("", "")])
def test_nobody_asked_for_a_report(tmp_path, sender, notify):
    said, messages = submit(tmp_path, {"b@example.net": b"550 5.1.1 no\r\n"}, ["<a@example.net>", "<b@example.net>" + notify], sender)
    assert said.startswith("250 ") and len(messages) == 1
