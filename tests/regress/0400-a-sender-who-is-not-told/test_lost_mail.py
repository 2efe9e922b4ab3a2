"""A message whose content the disk has lost comes back to its sender, and the history says that it failed. 3461-9 5321-55"""
import pathlib
import re
import smtplib
import sys

from postern_server import eventually, free_port, postern

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "serve"))
from test_history import only  # noqa: E402

MARK = b"in the middle of it"


def test_its_sender_is_told(make_server):
    one = make_server(config=f'relay = "smtp://127.0.0.1:{free_port()}"\n').start()
    one.add_key()
    sender = f"a@{one.hostname}"
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.mail(sender)
        smtp.rcpt("b@example.net")
        filler = "x" * 70 + "\r\n"
        code, words = smtp.data(f"From: {sender}\r\nSubject: lost\r\n\r\n{filler * 1500}{MARK.decode()}\r\n{filler * 1500}")
    assert code == 250
    ident = re.search(rb"\b[0-9a-z]{12}\b", words).group(0).decode()
    assert one.stop() == 0
    for log in (one.state / "spool").glob("*.log"):
        log.write_bytes(log.read_bytes().replace(MARK, MARK.upper()))
    one.write_config()          # the notice goes into the Maildir
    one.start()
    assert one.await_event("lost", id=ident)["from"] == sender
    [notice] = one.await_mails()
    assert b"\nStatus: 5.3.0\n" in notice and b"\nSubject: lost\n" in notice and b"\nTo: <%s>\n" % sender.encode() in notice
    eventually(lambda: "'bounced'" in str(only(one, ident)) and "damaged" in str(only(one, ident)), "its end")
    assert postern("queue", "show", ident, *one.options).returncode == 66
    assert one.stop() == 0
    one.start()
    assert len(one.mails()) == 1 and len(one.events("lost")) == 1
    assert one.stop() == 0
