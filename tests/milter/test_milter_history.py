"""What `postern queue where` says of messages that milters, a release time or a second submission kept from a plain way."""
import json
import re
import smtplib

from conftest import eventually, postern
from milters import Milter

FROM = "a@mail.example.org"


def submit(one, to, name, *options):
    """The queue id of its 250."""
    with smtplib.SMTP_SSL(one.host, one.submissions, timeout=20, context=one.context(), local_hostname="c.example.org") as smtp:
        smtp.login(one.login, one.key)
        smtp.mail(FROM, list(options))
        assert smtp.rcpt(to)[0] == 250
        code, words = smtp.data(f"From: {FROM}\r\nMessage-ID: <{name}>\r\n\r\nx\r\n")
        assert code == 250, words
    return re.search(rb"\b[0-9a-z]{12}\b", words).group(0).decode()


def known(one, what):
    done = postern("queue", "where", what, "--json", *one.options)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer["messages"]) == 1 and answer["gaps"] == [], answer
    return answer["messages"][0]


def test_every_record_of_the_log_is_understood(make_server):
    milter = Milter()
    one = make_server(config=f'milter = "{milter.place}"\nduplicate-window = "10 min"\n').start()
    one.add_key()
    later = submit(one, "b@example.net", "later@example.org", "HOLDFOR=3600")
    assert known(one, "later@example.org")["id"] == later
    assert postern("queue", "reschedule", later, "5h", *one.options).returncode == 0
    twice = submit(one, "c@example.net", "twice@example.org")
    assert submit(one, "c@example.net", "twice@example.org") == twice
    eventually(lambda: known(one, "twice@example.org")["to"][0]["state"] == "delivered", "its end")
    assert known(one, "twice@example.org")["id"] == twice and known(one, "c@example.net")["id"] == twice
    # Whose recipient it has heard of, and who is the same, it does not see the end of.
    assert sum(command == b"E" for talk in milter.seen for command, _ in talk) == 2
    assert postern("queue", "cancel", later, *one.options).returncode == 0
    message = known(one, later)
    event, = message["events"]
    assert message["to"][0]["state"] == "dropped" and (event["event"], event["why"]) == ("dropped", "before its release")
    assert one.stop() == 0
    milter.close()
