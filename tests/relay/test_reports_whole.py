"""A TLS report through the whole server, in its cage: from what an earlier life has counted to the mail that arrives, and to the server
that it is posted to."""
import email
import email.policy
import os
import time

from peers import A, MX
from postern_server import eventually, postern
from dkim_verify import records, signatures, verified
from road import QUICK, await_empty, submit
from signed import TXT, SignedDns
from test_reports import Reports, check_report, yesterday

CONF = 'tls-report-contact = "tls@sender.example"\ntls-report-organization = "Sender Ltd"\ntls-report-extra-contact = "https://sender.example/"\n'


def names(world, rua, **more):
    world.dns = SignedDns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"],
                           ("_smtp._tls.one.example", TXT): ["v=TLSRPTv1; rua=" + rua], **more})


def unfolded(message, name):
    return " ".join(message[name].split())


def check_mail(mail, ours, day):
    """rpt-4, rpt-5: RFC 8460 5.1 and 5.3."""
    envelope, rcpts, octets = mail
    assert envelope.upper().startswith("MAIL FROM:<>") and rcpts == ["RCPT TO:<reports@one.example>"], mail
    assert max(len(line) for line in octets.split(b"\r\n")) <= 998
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert not message.defects and message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "tlsrpt"
    assert message["From"] == "tls@sender.example" and message["To"] == "reports@one.example"
    assert message["TLS-Report-Domain"] == "one.example" and message["TLS-Report-Submitter"] == "sender.example"
    assert message["TLS-Required"] == "No" and message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] and message["Date"].datetime
    words, report = list(message.iter_parts())
    assert words.get_content_type() == "text/plain" and "Sender Ltd" in words.get_content()
    assert "5333 connections" in words.get_content() and "303 were not" in words.get_content()
    assert "https://sender.example/" in words.get_content()
    assert report.get_content_type() == "application/tlsrpt+gzip" and report.get_content_disposition() == "attachment"
    sender, domain, begin, end, rest = report.get_filename().split("!")
    assert (sender, domain, int(begin), int(end)) == ("sender.example", "one.example", day * 86400, day * 86400 + 86399)
    assert rest.endswith(".json.gz") and rest[:-8].isalnum()
    said = check_report(report.get_content(), day)
    assert said["organization-name"] == "Sender Ltd" and said["contact-info"] == "tls@sender.example"
    assert unfolded(message, "Subject") == "Report Domain: one.example Submitter: sender.example Report-ID: <%s>" % said["report-id"]
    return said


def test_mailed_over_whatever_tls(world, authority):                    # rpt-4, rpt-5
    """The receiver's policy is enforced and its certificate is broken: ordinary mail waits, the report about it arrives."""
    from test_sts import Web, policy
    hop = world.hop(starttls=authority.context("DNS:somebody.example"))
    web = Web(authority.context("DNS:mta-sts.one.example"), policy())
    world.hops.append(web)
    names(world, "mailto:reports@one.example")
    world.dns.records.update({("mta-sts.one.example", A): ["127.0.0.1"], ("_mta-sts.one.example", TXT): ["v=STSv1; id=1;"]})
    ours = world.serve(f'relay-ca-file = "{authority.ca}"\nmta-sts-port = {web.port}\n' + QUICK + CONF, start=False)
    day = yesterday(ours.state)
    ours.start()
    ours.add_key("alice", "@sender.example")
    submit(ours, "b@one.example")
    mail = eventually(lambda: hop.mails, "the report")[0]
    check_mail(mail, ours, day)
    eventually(lambda: not (ours.state / "relay" / "tls-reports" / time.strftime("%Y-%m-%d", time.gmtime(day * 86400))).exists(), "the end of that day")
    assert ours.events("tls-report-sent")[0]["about"] == "one.example"
    ours.await_event("tls-failed")
    ours.stop()
    # What waits was counted, the report's own connection was not (8460 3).
    (kind, successful, failed), = counts(ours)
    assert (kind, successful) == ("sts", "0") and int(failed) >= 1
    assert len(hop.mails) == 1


def test_mailed_with_a_signature(world, tmp_path):                      # rpt-5: RFC 8460 3
    """Who gets a report without a valid signature of its sender's domain is to ignore it."""
    hop = world.hop()
    names(world, "mailto:reports@one.example")
    ours = world.serve(QUICK + CONF, start=False)
    done = postern("user", "domain", "add", "sender.example", *ours.options)
    assert done.returncode == 0, done.stderr
    day = yesterday(ours.state)
    ours.start()
    mail = eventually(lambda: hop.mails, "the report")[0]
    check_mail(mail, ours, day)
    assert verified(mail[2], records(ours, "sender.example"), tmp_path) == {"rsa-sha256": True, "ed25519-sha256": True}
    assert all(fields["d"] == "sender.example" and "tls-required" in fields["h"].split(":") for _, fields, _ in signatures(mail[2]))


def test_refused_report_is_no_bounce(world, authority):                 # rpt-5
    hop = world.hop("127.0.0.1", {"RCPT": "550 5.1.1 nobody here"})
    names(world, "mailto:reports@one.example")
    ours = world.serve(QUICK + CONF, start=False)
    yesterday(ours.state)
    ours.start()
    eventually(lambda: any(line.startswith("RCPT") for s in hop.sessions for line in s.lines), "the report")
    await_empty(ours)
    assert not hop.mails and not ours.events("dsn")


def test_posted_out_of_the_cage(world, authority):                      # rpt-4
    web = Reports(authority.context("DNS:reports.one.example"))
    world.hops.append(web)
    names(world, "https://reports.one.example:%d/tlsrpt" % web.port)
    world.dns.records["reports.one.example", A] = ["127.0.0.1"]
    ours = world.serve(CONF + 'tls-report-private = "yes"\n', start=False)
    day = yesterday(ours.state)
    old = ours.state / "relay" / "tls-reports" / "2020-02-29"
    old.write_text("from another age\n")
    ours.start()
    assert not old.exists() and ours.events("tls-reports-dropped", day="2020-02-29")
    check_report(eventually(lambda: web.bodies, "the report")[0], day)
    assert "Content-Type: application/tlsrpt+gzip" in web.asked[0]


def counts(ours):
    path = ours.state / "relay" / "tls-reports" / time.strftime("%Y-%m-%d", time.gmtime())
    kept = path.read_text().split("\n") if path.exists() else []
    return [line.split("\t")[1:4] for line in kept if line.startswith("p\t")]


def test_a_kill_doubles_nothing(world, authority):
    hop = world.hop(starttls=authority.context("DNS:mx.one.example"))
    names(world, "mailto:reports@one.example")
    ours = world.serve(QUICK + CONF)
    for n in ("1", "2"):
        submit(ours, "b@one.example")
        eventually(lambda: counts(ours) == [["no-policy-found", n, "0"]], "the count in the file", 5)
        os.kill(ours.children()["relay:0"], 9)
        eventually(lambda: "relay:0" in ours.children(), "another relay")
    # An orderly end writes what a kill would have lost.
    submit(ours, "b@one.example")
    eventually(lambda: len(hop.mails) == 3, "the mail")
    ours.stop()
    assert counts(ours) == [["no-policy-found", "3", "0"]]
