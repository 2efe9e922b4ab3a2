"""Addresses that a login may not use: the log has the first of a session, not each of thousands."""
import smtplib


def test_the_first_are_said(make_server):
    server = make_server(config="fronts = 1\n")
    server.add_key("alice", "alice@example.org", "laptop")
    server.start()
    context = server.context()
    context.check_hostname = False      # smtplib asks for the address that it connects to
    for _ in range(2):
        with smtplib.SMTP_SSL(server.host, server.submissions, context=context, timeout=30) as client:
            client.login("alice/laptop", server.key)
            for n in range(40):
                assert client.mail(f"bob{n}@example.net")[0] == 550
    assert server.stop() == 0
    said = server.events("sender-denied")
    assert [e["address"] for e in said] == ["bob0@example.net", "bob1@example.net", "bob2@example.net"] * 2
    assert ["further" in e for e in said] == [False, False, True] * 2
