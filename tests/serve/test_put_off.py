"""A 4_spool or a 3_auth that dies under honest senders: who need not hear of it does not, who must reads why, and so does the operator."""
import os
import signal
import smtplib

TEXT = b"From: a@mail.example.org\r\nSubject: x\r\n\r\nhello\r\n.\r\n"


def login(one):
    client = smtplib.SMTP_SSL(one.host, one.submissions, timeout=30, context=one.context(), local_hostname="laptop.example.org")
    client.login(one.login, one.key)
    return client


def test_a_spool_that_dies(make_server):
    """5321-26: what was coming is 451; MAIL waits for the next 4_spool and is served by it."""
    one = make_server(config="fronts = 1\n").start()
    one.add_key()
    waits, comes = login(one), login(one)
    assert comes.mail("a@mail.example.org")[0] == 250 and comes.rcpt("b@example.net")[0] == 250
    assert comes.docmd("DATA")[0] == 354
    os.kill(one.children()["spool:0"], signal.SIGKILL)
    one.await_event("child-ended", child="spool")
    assert waits.sendmail("a@mail.example.org", ["b@example.net"], TEXT[:-3]) == {}
    comes.send(TEXT)
    code, words = comes.getreply()
    assert (code, words) == (451, b"4.3.0 the mail store was started again while this message came, send it again")
    event = one.await_event("put-off")
    assert (event["proc"], event["process"], event["count"]) == ("front:0", "4_spool", "1") and "child-ended" in event["why"]
    assert comes.sendmail("a@mail.example.org", ["b@example.net"], TEXT[:-3].replace(b"hello", b"again")) == {}
    one.await_mails(2)
    waits.quit()
    comes.quit()
    assert one.stop() == 0


def test_an_auth_that_dies(make_server):
    """Whoever had proved who he is does so anew, on a new connection, and is told so; whoever logs in meanwhile need not hear of it."""
    one = make_server(config="fronts = 1\n").start()
    one.add_key()
    client = login(one)
    os.kill(one.children()["auth:0"], signal.SIGKILL)
    one.await_event("child-ended", child="auth")
    again = login(one)
    said = client.mail("a@mail.example.org")
    assert said == (421, b"4.3.2 logins were forgotten here, connect and log in again")
    assert one.await_event("put-off", process="3_auth")["count"] == "1"
    client.close()
    assert again.sendmail("a@mail.example.org", ["b@example.net"], TEXT[:-3]) == {}
    again.quit()
    assert one.stop() == 0
