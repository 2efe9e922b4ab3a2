"""5_relay has no memory for a try: it gives it back, and blames nobody for it; the mail goes when there is some."""
import pathlib
import resource
import smtplib

import pytest

from postern_server import POSTERN, eventually

MANY = 1000


@pytest.mark.skipif(b"__asan_init" in pathlib.Path(POSTERN).read_bytes(), reason="a sanitizer takes address space as it likes")
def test_given_back(make_server):
    one = make_server(sets=["retry-first=1s", "rcpt-max=1000", "habit-watch=no"]).start()
    pid = one.children()["relay:0"]
    with smtplib.SMTP_SSL("127.0.0.1", one.submissions, context=one.context(), timeout=60) as smtp:
        smtp.login(one.login, one.key)
        sender = f"{one.login}@{one.hostname}"
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (1, before[1]))
        smtp.sendmail(sender, [f"{n}-{'x' * 50}@example.net" for n in range(MANY)], f"From: {sender}\r\nSubject: s\r\n\r\nhello\r\n")
    one.await_event("no-memory")
    resource.prlimit(pid, resource.RLIMIT_AS, before)
    eventually(lambda: len(one.events("delivered")) == MANY, "all of them", 60)
    assert one.children()["relay:0"] == pid and not one.events("spool-broken")
    assert one.stop() == 0
