"""A reload that lowers sessions-max ends nobody's session and nobody's authentication."""
import smtplib
import time


def test_lowered(make_server):
    one = make_server(config="fronts = 1\n").start()
    one.add_key(address="@example.org")
    clients = [smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=20) for _ in range(4)]
    for c in clients:
        c.ehlo("laptop.example.org")
    for c in clients[:3]:
        assert c.login(one.login, one.key)[0] == 235
    one.write_config("fronts = 1\nsessions-max = 2\n")
    one.hup()
    one.await_event("reloaded")
    time.sleep(2)       # the master has told it; 3_auth has to have heard it
    code, _ = clients[3].docmd("AUTH", "PLAIN AGFsaWNlAHdyb25n")
    assert code == 454
    assert clients[0].mail("me@example.org")[0] == 250
    for c in clients:
        c.quit()
    again = smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=20)
    assert again.login(one.login, one.key)[0] == 235
    again.quit()
    assert not one.events("front-broken")
    assert one.stop() == 0
