"""sendmail -bs hands on what each recipient was named with. 3461-1 3461-4 3461-5."""

import os
import socket
import subprocess
import threading

from postern_server import POSTERN

OFFERS = b"250-here\r\n250-DSN\r\n250 PIPELINING\r\n"


def serve(listener, heard):
    conn, _ = listener.accept()
    with conn, conn.makefile("rwb", buffering=0) as talk:
        talk.write(b"220 here\r\n")
        in_data = False
        for line in iter(talk.readline, b""):
            line = line.rstrip(b"\r\n").decode()
            if in_data:
                in_data = line != "."
                if not in_data:
                    talk.write(b"250 2.0.0 taken\r\n")
                continue
            heard.append(line)
            verb = line.split(" ")[0]
            in_data = verb == "DATA"
            talk.write({"EHLO": OFFERS, "DATA": b"354 go\r\n", "QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n"))
            if verb == "QUIT":
                return


def submit(tmp_path, conversation):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accounts = tmp_path / "accounts"
        accounts.write_text(f'account default {{ server = "smtp://127.0.0.1:{listener.getsockname()[1]}" }}\n')
        accounts.chmod(0o600)
        server = threading.Thread(target=serve, args=(listener, heard), daemon=True)
        server.start()
        done = subprocess.run([POSTERN, "sendmail", "-bs", "-C", str(accounts)], input="\r\n".join(conversation) + "\r\n",
            capture_output=True, text=True, timeout=20, env=dict(os.environ, HOME=str(tmp_path)))
        server.join(10)
    return done.stdout, heard


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
