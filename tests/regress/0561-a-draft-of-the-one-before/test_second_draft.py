"""RSET behind a refused chunk, and MAIL in the same breath: the new message is asked about anew (3030-3, 5321-47)."""
import smtplib

SOURCE = "127.0.1.7"        # another network than 127.0.0.0/24, which is not watched
TEXT = b"From: demo@mail.example.org\r\nSubject: again\r\n\r\nhello\r\n"
BEGINNING = b"MAIL FROM:<demo@mail.example.org>\r\nRCPT TO:<u@example.net>\r\n"


def chunk(octets, more=b""):
    return b"BDAT %d%s\r\n" % (len(octets), more) + octets


def exchange(client, octets, replies):
    client.send(octets)
    return [client.getreply()[0] for _ in range(replies)]


def test_a_front_outlives_it(make_server):
    one = make_server(config="fronts = 1\n")
    one.add_key()
    one.start()
    context = one.context()
    context.check_hostname = False
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=context, local_hostname="c.example.org",
                          source_address=(SOURCE, 0)) as client:
        client.login(one.login, one.key)
        assert exchange(client, BEGINNING + chunk(b"Subject: a bare\nline feed\r\n"), 3) == [250, 250, 554]
        assert exchange(client, b"RSET\r\n" + BEGINNING + chunk(TEXT, b" LAST"), 4) == [250, 250, 250, 250]
        assert exchange(client, b"NOOP\r\n", 1) == [250]
    assert len(one.await_mails(1)) == 1
    assert not one.events("front-broken")
    assert one.stop() == 0
