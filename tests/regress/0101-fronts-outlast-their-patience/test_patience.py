"""Somebody who never finishes his message hears 421 when the server ends (5321-25), and no process has to be killed for it."""
import smtplib
import time


def test_told_and_not_killed(make_server):
    one = make_server(config="fronts = 1\n").start()
    one.add_key()
    with smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=30, local_hostname="laptop.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.mail("a@mail.example.org")
        smtp.rcpt("b@example.net")
        assert smtp.docmd("DATA")[0] == 354
        smtp.send(b"Subject: half\r\n\r\nhal")
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 20, "the master's patience with fronts"
        assert smtp.getreply()[0] == 421
        smtp.close()
    assert one.events("drain-cut") == [] and one.events("child-ended") == []
