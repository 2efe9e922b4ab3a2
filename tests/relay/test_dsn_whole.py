"""Notifications, the whole way: who is told of what, together with whom, and what comes back to him."""
import email
import email.policy
import quopri
import time

from postern_server import eventually
from road import LETTER, QUICK, SENDER, Report, await_empty, await_reports, client, submit

PLAIN = ["PIPELINING", "SIZE 50000000", "ENHANCEDSTATUSCODES"]
EIGHT = PLAIN + ["8BITMIME", "DSN"]
UTF8 = EIGHT + ["SMTPUTF8"]


def roads(world, *scripts, sink=None, offers=EIGHT, conf=""):
    """A hop for each of one.example, two.example ... and the sender's own."""
    names = ["one", "two", "three", "four"]
    hops = [world.hop(f"127.0.0.{i + 2}", script, offers=list(offers)) for i, script in enumerate(scripts)]
    back = world.hop("127.0.0.9", sink or {}, offers=list(offers))
    world.names({**{f"{names[i]}.example": f"127.0.0.{i + 2}" for i in range(len(scripts))}, "sender.example": "127.0.0.9"})
    return (*hops, back, world.serve(QUICK + conf))


def finals(report):
    return sorted(p["Final-Recipient"].split(";")[1].strip() for p in report.people)


def refused(name):
    return {"RCPT TO:<%s@" % name: "550 5.1.1 nobody"}


# ---- together (5321-55, RFC 3461 6) ----

def test_three_destinations_that_refuse_are_one_report(world):
    *_, sink, server = roads(world, refused("a"), refused("b"), refused("c"))
    submit(server, ["a@one.example", "b@two.example", "c@three.example", "ok@one.example"])
    report, = await_reports(sink)
    assert finals(report) == ["a@one.example", "b@two.example", "c@three.example"]
    assert {p["Remote-MTA"] for p in report.people} == {"dns; mx.%s.example" % n for n in ("one", "two", "three")}
    await_empty(server)
    assert len(sink.mails) == 1 and len(server.events("dsn")) == 1 and len(server.events("failed")) == 3
    # What nobody is told of is recorded in good time: a restart delivers nothing again.
    assert server.stop() == 0
    server.start()
    await_empty(server)
    assert len(server.events("delivered")) == 2         # to one.example, and the report


def test_a_slow_destination_keeps_nobody_waiting_long(world):
    one, two, sink, server = roads(world, refused("a"), {"MAIL FROM:<alice": "STALL"})
    submit(server, ["a@one.example", "b@two.example"])
    begin = time.monotonic()
    report, = await_reports(sink)
    # The other one answers in a minute.
    assert finals(report) == ["a@one.example"] and time.monotonic() - begin < 20


def test_a_stop_meanwhile_tells_at_once(world):
    one, two, sink, server = roads(world, refused("a"), {})
    two.slow = 0.8
    submit(server, ["a@one.example", "b@two.example"])
    server.await_event("failed")
    assert server.stop() == 0
    assert len(server.events("dsn")) == 1
    server.start()
    report, = await_reports(sink)
    assert finals(report) == ["a@one.example"]


def test_relayed_and_failed_at_two_destinations(world):                 # 3461-6, 3461-7
    one, two, sink, server = roads(world, refused("bad"), refused("bad"), offers=PLAIN)
    submit(server, [("b@one.example", "NOTIFY=SUCCESS"), ("c@two.example", "NOTIFY=SUCCESS,FAILURE"), ("d@two.example", "NOTIFY=FAILURE"),
                    ("bad@one.example", "NOTIFY=FAILURE"), ("bad@two.example", "NOTIFY=SUCCESS"), "plain@one.example"])
    told = {r.people[0]["Action"]: r for r in await_reports(sink, 2)}
    assert finals(told["relayed"]) == ["b@one.example", "c@two.example"] and finals(told["failed"]) == ["bad@one.example"]
    assert all(p["Status"].startswith("2.") for p in told["relayed"].people)
    await_empty(server)
    assert len(sink.mails) == 2 and all("NOTIFY" not in r for m in one.mails + two.mails for r in m[1])


def test_two_dead_destinations_expire_together(world):                  # 5321-55
    one, two, sink, server = roads(world, {}, {}, conf='expire = "2 s"\n')
    one.close(), two.close()
    submit(server, ["a@one.example", "b@two.example"])
    report, = await_reports(sink)
    await_empty(server)
    assert finals(report) == ["a@one.example", "b@two.example"] and len(sink.mails) == 1
    assert {p["Status"] for p in report.people} == {"5.4.7"}


def test_delivered_into_a_maildir(world):                               # 3461-6, 3464-3
    server = world.make_server(config=QUICK)
    world.servers.append(server)
    server.start()
    server.add_key("alice", "@sender.example")
    submit(server, [("b@one.example", "NOTIFY=SUCCESS", "ORCPT=rfc822;B+2Bb@one.example"), ("c@two.example", "NOTIFY=FAILURE")],
           mail=["ENVID=E3", "RET=FULL"])
    mails = server.await_mails(2)
    told, = [m for m in mails if b"multipart/report" in m]
    report = Report((None, None, told.replace(b"\n", b"\r\n")))
    person, = report.people
    assert (person["Action"], person["Status"]) == ("delivered", "2.0.0") and finals(report) == ["b@one.example"]
    assert person["Original-Recipient"] == "rfc822; B+b@one.example" and report.about["Original-Envelope-Id"] == "E3"
    assert person["Remote-MTA"] is None and person["Will-Retry-Until"] is None
    assert report.original.get_content_type() == "text/rfc822-headers"          # 3461-12: success brings no content
    await_empty(server)
    assert len(server.mails()) == 2


# ---- the original (3461-12, 3464-4) ----

EIGHTBIT = """From: alice@sender.example
To: bad@one.example
Subject: the way
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b
Content-Transfer-Encoding: 8bit

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Gr\u00fc\u00dfe
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: 8bit

\u00ff\u00fe
--b--
""".replace("\n", "\r\n").encode()


def leaves(message):
    return [(p.get_content_type(), p.get_payload(decode=True)) for p in message.walk() if not p.is_multipart()]


def test_the_whole_of_an_eightbit_message(world):                       # 3464-4
    one, sink, server = roads(world, refused("bad"))
    submit(server, "bad@one.example", content=EIGHTBIT, mail=["RET=FULL", "BODY=8BITMIME"])
    report, = await_reports(sink)
    assert all(c < 128 for c in report.octets) and "BODY" not in report.envelope
    assert report.original.get_content_type() == "message/rfc822"
    inner, = report.original.get_payload()
    assert leaves(inner) == leaves(email.message_from_bytes(EIGHTBIT, policy=email.policy.SMTP))
    assert inner["Subject"] == "the way" and inner["Received"]
    # What cannot be encoded comes back as its header.
    submit(server, "bad@one.example", content=EIGHTBIT.replace(b"multipart/mixed", b"multipart/signed"), mail=["RET=FULL", "BODY=8BITMIME"])
    report = await_reports(sink, 2)[1]
    assert all(c < 128 for c in report.octets) and report.original.get_content_type() == "text/rfc822-headers"


def test_the_whole_of_a_global_message(world):                          # 6531-9, 3464-4: RFC 6533 4, 5
    one, sink, server = roads(world, {"RCPT TO:<j\u00f6rg@": "550 5.1.1 nobody"}, offers=UTF8)
    content = EIGHTBIT.replace(b"Subject: the way", "Subject: der Weg f\u00fcr".encode())
    with client(server) as smtp:
        smtp.command_encoding = "utf-8"
        smtp.mail(SENDER, ["SMTPUTF8", "BODY=8BITMIME", "RET=FULL"])
        assert smtp.rcpt("j\u00f6rg@one.example", ["ORCPT=utf-8;j\\x{F6}rg\\x{2B}x@one.example"])[0] == 250
        assert smtp.data(content)[0] == 250
    report, = await_reports(sink)
    person, = report.people
    assert report.status_type == "message/global-delivery-status" and all(c < 128 for c in report.octets)
    assert person["Final-Recipient"] == "utf-8; j\u00f6rg@one.example"
    assert person["Original-Recipient"] == "utf-8; j\u00f6rg+x@one.example"
    assert "SMTPUTF8" not in report.envelope
    part = report.octets.split(b"--" + report.message.get_boundary().encode())[3]
    head, _, body = part.partition(b"\r\n\r\n")
    assert b"Content-Type: message/global\r\n" in head
    whole, wanted = [t.replace(b"\r\n", b"\n").rstrip().partition(b"\n\n") for t in (quopri.decodestring(body), content)]
    assert whole[2] == wanted[2] and "Subject: der Weg f\u00fcr\n".encode() in whole[0]


def test_converted_on_the_way_and_told_why_not(world):                  # 6152-2, 6531-6
    one, sink, server = roads(world, {}, offers=PLAIN)
    submit(server, "b@one.example", content=EIGHTBIT, mail=["BODY=8BITMIME"])
    eventually(lambda: one.mails, "the converted message")
    assert all(c < 128 for c in one.mails[0][2])
    assert leaves(email.message_from_bytes(one.mails[0][2], policy=email.policy.SMTP)) == leaves(
        email.message_from_bytes(EIGHTBIT, policy=email.policy.SMTP))
    submit(server, "b@one.example", content=EIGHTBIT.replace(b"multipart/mixed", b"multipart/signed"), mail=["BODY=8BITMIME"])
    report, = await_reports(sink)
    person, = report.people
    assert (person["Action"], person["Status"], person["Remote-MTA"]) == ("failed", "5.6.3", None)
    assert "8BITMIME" in person["Diagnostic-Code"] and "signed" in person["Diagnostic-Code"]


# ---- mail from nobody (3461-10) ----

BOSS = 'postmaster = "boss@two.example"\npostmaster-notices = "yes"\n'

def test_the_postmaster_hears_of_a_lost_report(world):
    one, boss, sink, server = roads(world, refused("bad"), {}, sink=refused("alice"), conf=BOSS)
    submit(server, "bad@one.example", content=LETTER + b"secret body\r\n", mail=["RET=FULL"])
    report, = await_reports(boss)
    assert report.envelope.startswith("MAIL FROM:<>") and report.message["To"] == "boss@two.example"
    assert finals(report) == ["alice@sender.example"] and "postmaster" in str(report.words)
    assert b"secret body" not in report.octets and "Your message was not delivered" in report.original.as_string()
    await_empty(server)
    assert len(server.events("dsn")) == 2


def test_a_postmaster_who_cannot_be_reached_ends_it(world):
    one, boss, sink, server = roads(world, refused("bad"), refused("boss"), sink=refused("alice"), conf=BOSS)
    submit(server, "bad@one.example")
    eventually(lambda: len(server.events("failed")) == 3, "message, report, and the word to the postmaster")
    await_empty(server)
    assert len(server.events("dsn")) == 2 and not boss.mails and not sink.mails


# ---- BINARYMIME from end to end (RFC 3030 3) ----

def test_binary_in_and_lines_out(world):                                # 3030-7
    one, two, sink, server = roads(world, {}, {})
    two.offers += ["CHUNKING", "BINARYMIME"]
    body = bytes(range(256)) * 3 + b"\r\n.\r\n\n\r\0"
    content = (b"From: alice@sender.example\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n" + body)
    with client(server) as smtp:
        assert smtp.mail(SENDER, ["BODY=BINARYMIME"])[0] == 250
        assert smtp.rcpt("b@one.example")[0] == 250 and smtp.rcpt("b@two.example")[0] == 250
        smtp.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert smtp.getreply()[0] == 250
    await_empty(server)
    (_, _, lines), = one.mails
    (envelope, _, binary), = two.mails
    assert email.message_from_bytes(lines, policy=email.policy.SMTP).get_payload(decode=True) == body
    assert b"\0" not in lines and b"Content-Transfer-Encoding: base64" in lines
    assert "BODY=BINARYMIME" in envelope and binary.endswith(b"\r\n\r\n" + body) and not sink.mails
