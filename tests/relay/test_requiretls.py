"""RFC 8689 through all processes: from MAIL and header to the next hop, and what the sender hears when it cannot be."""
from road import LETTER, QUICK, await_empty, await_reports, client, show, submit
from postern_server import eventually

OFFERS = ["PIPELINING", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "REQUIRETLS"]
OPTIONAL = LETTER.replace(b"Subject:", b"TLS-Required: No\r\nSubject:")


def smart(world, authority, hop):
    """The next hop is given, verified, and perhaps knows REQUIRETLS."""
    ours = world.make_server(config=f'relay = "submission://127.0.0.1:{hop.port}"\nrelay-ca-file = "{authority.ca}"\n' + QUICK)
    world.servers.append(ours)
    ours.start()
    ours.add_key("alice", "@sender.example")
    return ours


def test_passed_on(world, authority):                                   # 8689-1, 8689-2
    hop = world.hop(starttls=authority.context("IP:127.0.0.1"), offers=OFFERS)
    ours = smart(world, authority, hop)
    with client(ours) as c:
        assert c.has_extn("requiretls")
    submit(ours, "b@one.example", mail=["REQUIRETLS"])
    submit(ours, "b@one.example")
    eventually(lambda: len(hop.mails) == 2, "two mails")
    assert sorted(m[0].endswith(" REQUIRETLS") for m in hop.mails) == [False, True]
    await_empty(ours)


def test_bounced(world, authority):                                     # 8689-3, 8689-4 even against RET=FULL
    hop = world.hop(starttls=authority.context("IP:127.0.0.1"), offers=OFFERS[:-1])
    ours = smart(world, authority, hop)
    submit(ours, "b@one.example", mail=["REQUIRETLS", "RET=FULL"])
    report = await_reports(hop)[0]
    assert report.people[0]["Status"] == "5.7.30" and report.people[0]["Action"] == "failed"
    assert report.original.get_content_type() == "text/rfc822-headers" and b".hello" not in report.octets
    assert report.envelope.startswith("MAIL FROM:<>") and "REQUIRETLS" not in report.envelope
    await_empty(ours)
    assert len(hop.mails) == 1


def test_the_bounce_wants_tls_too(world, authority):                    # 8689-4
    hop = world.hop("127.0.0.1", {"RCPT TO:<b@": "550 5.1.1 nobody"}, starttls=authority.context("IP:127.0.0.1"), offers=OFFERS)
    ours = smart(world, authority, hop)
    submit(ours, "b@one.example", mail=["REQUIRETLS", "RET=FULL"])
    report = await_reports(hop)[0]
    assert report.envelope.startswith("MAIL FROM:<>") and report.envelope.endswith(" REQUIRETLS"), report.envelope
    assert report.original.get_content_type() == "text/rfc822-headers"


def test_without_tls(world, authority):                                 # 8689-3, 8689-5
    hop = world.hop(offers=OFFERS)
    ours = world.make_server(config=f'relay = "smtp://127.0.0.1:{hop.port}"\nrelay-ca-file = "{authority.ca}"\n' + QUICK)
    world.servers.append(ours)
    ours.start()
    ours.add_key("alice", "@sender.example")
    submit(ours, "b@one.example", mail=["REQUIRETLS"], content=OPTIONAL)
    report = await_reports(hop)[0]
    assert report.people[0]["Status"] == "5.7.30", report.octets
    assert all(m[0].startswith("MAIL FROM:<>") for m in hop.mails)


def test_the_flag_lives_through_a_restart(world, authority):            # it is in the record, not in a process
    hop = world.hop("127.0.0.1", {"MAIL": ["451 4.3.0 not now"]}, starttls=authority.context("IP:127.0.0.1"), offers=OFFERS)
    ours = smart(world, authority, hop)
    id = submit(ours, "b@one.example", mail=["REQUIRETLS"])
    eventually(lambda: "not now" in str(show(ours, id)), "the first try")
    ours.stop()
    ours.start()
    eventually(lambda: hop.mails, "the mail")
    assert hop.mails[0][0].endswith(" REQUIRETLS")


def test_header_says_no(world, authority):                              # 8689-5: a certificate that proves nothing stops it not
    hop = world.hop(starttls="broken", offers=OFFERS)
    ours = world.make_server(config=f'relay = "smtp://127.0.0.1:{hop.port}"\n' + QUICK)
    world.servers.append(ours)
    ours.start()
    ours.add_key("alice", "@sender.example")
    submit(ours, "b@one.example", content=OPTIONAL)
    eventually(lambda: hop.mails, "the mail")
    assert b"TLS-Required: No\r\n" in hop.mails[0][2]
