"""5_relay and TLS reports (RFC 8460): what is counted of which session, what outlives a kill, what is sent where and what it says."""
import datetime
import gzip
import hashlib
import json
import os
import signal
import ssl
import struct
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from listeners import HttpsServer, response
from peers import A, DELIVERED, LATER, LETTER_TAKEN, MX, Authority, u32
from signed import TLSA, TXT, SignedDns
from test_sts import DOMAIN, FLAG_REQUIRETLS, FLAG_TLS_OPTIONAL, HOST, Web, World, good, other, policy, send, web_context, world  # noqa: F401

CONTACT, WANTED, DAY = "tls-reports@relay.example", "_smtp._tls." + DOMAIN, 86400
STS = ["version: STSv1", "mode: enforce", "mx: " + HOST, "max_age: 604800"]


def today():
    return int(time.time()) // DAY


def date(day):
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))


def folder(relay):
    return os.path.join(relay.conf["state-dir"], "relay", "tls-reports")


def counted(relay):
    """What is kept of today, once the relay has ended: {(type, policy domain): (successful, failed, strings, [failures])}."""
    relay.drain()
    assert "Sanitizer" not in relay.said()
    return counted_in(folder(relay))


def counted_in(directory):
    path, found, last = os.path.join(directory, date(today())), {}, None
    if not os.path.exists(path):
        return {}
    lines = [line.split("\t") for line in open(path).read().splitlines()]
    assert lines[0][0] == "postern-tls-reports 1" and lines[-1] == ["end"], lines
    for line in lines[1:-1]:
        if line[0] == "p":
            last = (line[1], line[4])
            assert last not in found, lines
            found[last] = (int(line[2]), int(line[3]), line[5:], [])
        elif line[0] == "f":
            found[last][3].append((line[1], int(line[2]), *line[3:]))
    return found


def relay_for(world, hop, **conf):
    return world.relay(hop, tls_report_contact=CONTACT, tls_report_organization="Relay & Söns".replace("ö", "oe"), **conf)


# ---- what is counted: rpt-2, rpt-3 ----

def test_compliant_sts(world, good):                                    # rpt-2
    relay = relay_for(world, world.hop(starttls=good))
    for _ in range(3):
        assert send(relay).cls == DELIVERED
    # One connection carries them all.
    assert counted(relay) == {("sts", DOMAIN): (1, 0, STS, [])}


def expired(authority):
    """A certificate of the right name whose time is over."""
    folder, now = authority.folder, datetime.datetime.utcnow()
    with open(folder + "/ca.key", "rb") as k, open(folder + "/ca.pem", "rb") as c:
        ca_key, ca = serialization.load_pem_private_key(k.read(), None), x509.load_pem_x509_certificate(c.read())
    key = ec.generate_private_key(ec.SECP256R1())
    one = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hop")])).issuer_name(
        ca.subject).public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(
        now - datetime.timedelta(days=9)).not_valid_after(now - datetime.timedelta(days=1)).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(HOST)]), False).sign(ca_key, hashes.SHA256())
    with open(folder + "/expired.pem", "wb") as f:
        f.write(one.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/expired.pem")
    return context


@pytest.mark.parametrize("what, result", [("other name", "certificate-host-mismatch"), ("stranger", "certificate-not-trusted"),
                                          ("expired", "certificate-expired"), ("no starttls", "starttls-not-supported"), ("no tls", "validation-failure"),
                                          ("no pattern", "validation-failure"), ("no ehlo", "starttls-not-supported")])
def test_failing_sts(world, good, other, tmp_path, what, result):       # rpt-3
    if what == "no pattern":
        world.serve(policy(mx=["else.example"]))
    starttls = {"other name": other, "no tls": "broken", "no pattern": good}.get(what)
    if what == "stranger":
        starttls = Authority(tmp_path).context("DNS:" + HOST)
    if what == "expired":
        starttls = expired(world.authority)
    hop = world.hop({"EHLO": "502 5.5.1 what?"}) if what == "no ehlo" else world.hop(starttls=starttls)     # 0312
    relay = relay_for(world, hop)
    assert send(relay).cls == LATER
    found = counted(relay)
    assert list(found) == [("sts", DOMAIN)], found
    successful, failed, strings, failures = found["sts", DOMAIN]
    assert (successful, failed, strings[1]) == (0, 1, "mode: enforce"), found
    assert len(failures) == 1 and failures[0][:4] == (result, 1, HOST, "127.0.0.1"), failures
    # 4.4: our own address, where there was a connection; and words (4.3.1, 4.3.3).
    assert failures[0][4] == ("" if what == "no pattern" else "127.0.0.1") and failures[0][5], failures


def test_policy_in_testing_counts_what_it_would_have_stopped(world, other):
    world.serve(policy(mode="testing"))
    relay = relay_for(world, world.hop(starttls=other))
    assert send(relay).cls == DELIVERED
    (key, (successful, failed, strings, failures)), = counted(relay).items()
    assert key == ("sts", DOMAIN) and (successful, failed) == (0, 1) and "mode: testing" in strings
    assert failures[0][:3] == ("certificate-host-mismatch", 1, HOST) and failures[0][5], failures


@pytest.mark.parametrize("what, result", [("404", "sts-policy-fetch-error"), ("rubbish", "sts-policy-invalid"),
                                          ("no certificate", "sts-webpki-invalid")])
def test_policy_that_cannot_be_had(world, good, authority, what, result):      # rpt-3
    world.serve(**{"404": {"status": "404 Not Found"}, "rubbish": {"body": "<html>\n"},
                   "no certificate": {"context": authority.context("DNS:somebody.example")}}[what])
    relay = relay_for(world, world.hop(starttls=good))
    assert send(relay).cls == DELIVERED
    assert counted(relay) == {("sts", DOMAIN): (0, 1, [], [(result, 1, HOST, "127.0.0.1", "127.0.0.1", "")])}


def test_policy_that_cannot_be_renewed(world, good):
    """The one that is kept stays in force, and its sessions are as good as ever; but the receiver hears of it (4: counts may overlap)."""
    hop = world.hop(starttls=good)
    relay = relay_for(world, hop)
    assert send(relay).cls == DELIVERED
    relay.drain()
    world.web.status = "404 Not Found"
    world.set("_mta-sts." + DOMAIN, TXT, ["v=STSv1; id=2;"])
    relay = relay_for(world, hop, state_dir=relay.conf["state-dir"])
    assert send(relay).cls == DELIVERED
    assert counted(relay) == {("sts", DOMAIN): (2, 0, STS, [("sts-policy-fetch-error", 1, HOST, "127.0.0.1", "127.0.0.1", "")])}


def test_no_policy(world, good):                                        # rpt-2: no-policy-found
    world.records.pop(("_mta-sts." + DOMAIN, TXT))
    relay = relay_for(world, world.hop(starttls=good))
    assert send(relay).cls == DELIVERED
    assert counted(relay) == {("no-policy-found", DOMAIN): (1, 0, [], [])}


def test_no_policy_and_no_tls(world):                                   # rpt-3
    world.records.pop(("_mta-sts." + DOMAIN, TXT))
    relay = relay_for(world, world.hop())
    assert send(relay).cls == DELIVERED
    assert counted(relay) == {("no-policy-found", DOMAIN): (0, 1, [], [("starttls-not-supported", 1, HOST, "127.0.0.1", "127.0.0.1", "")])}


def test_tls_that_fails_and_is_done_without(world):
    """The handshake is counted, the connection in clear after it is not: it is no session with TLS, nor one that was refused it."""
    world.records.pop(("_mta-sts." + DOMAIN, TXT))
    relay = relay_for(world, world.hop(starttls="broken"))
    assert send(relay).cls == DELIVERED
    (key, (successful, failed, _, failures)), = counted(relay).items()
    assert (successful, failed, failures[0][:2]) == (0, 1, ("validation-failure", 1)), failures


def tlsa(world, hop, good, records):
    world.signed = True
    world.records.pop(("_mta-sts." + DOMAIN, TXT))
    world.records["_%d._tcp.%s" % (hop.port, HOST), TLSA] = records


@pytest.mark.parametrize("fits", [True, False])
def test_dane(world, good, fits):                                       # rpt-2: tlsa; rpt-3: tlsa-invalid
    pem = open("%s/DNS_%s.pem" % (world.authority.folder, HOST)).read()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest() if fits else b"x" * 32
    hop = world.hop(starttls=good)
    tlsa(world, hop, good, [(3, 0, 1, digest)])
    relay = relay_for(world, hop)
    assert send(relay).cls == (DELIVERED if fits else LATER)
    # 1.1: the policy domain of DANE is the TLSA base domain.
    (key, (successful, failed, strings, failures)), = counted(relay).items()
    assert key == ("tlsa", HOST) and strings == ["3 0 1 " + digest.hex()]
    assert (successful, failed) == (int(fits), int(not fits))
    assert [f[:4] for f in failures] == ([] if fits else [("tlsa-invalid", 1, HOST, "127.0.0.1")])


def test_dane_records_that_nobody_can_use(world, good):                 # rpt-3: tlsa-invalid, though mail goes (7672 2.2)
    hop = world.hop(starttls=good)
    tlsa(world, hop, good, [(1, 0, 1, b"x" * 32)])
    relay = relay_for(world, hop)
    assert send(relay).cls == DELIVERED
    (key, (successful, failed, _, failures)), = counted(relay).items()
    assert key == ("tlsa", HOST) and (successful, failed, failures[0][0]) == (0, 1, "tlsa-invalid")


def test_dnssec_invalid(world, good):                                   # rpt-3
    hop = world.hop(starttls=good)
    tlsa(world, hop, good, "SERVFAIL")
    relay = relay_for(world, hop)
    assert send(relay).cls == LATER and not hop.sessions
    (key, (successful, failed, strings, failures)), = counted(relay).items()
    assert key == ("tlsa", HOST) and (successful, failed, strings, failures[0][:2]) == (0, 1, [], ("dnssec-invalid", 1))


@pytest.mark.parametrize("why", ["tls-required-no", "requiretls", "off", "connect"])
def test_not_counted(world, good, other, why):                          # rpt-5: nor is a report itself
    conf, flags, hop = {}, 0, world.hop(starttls=good)
    if why == "tls-required-no":
        flags = FLAG_TLS_OPTIONAL
    elif why == "requiretls":
        world.records.pop(("_mta-sts." + DOMAIN, TXT))
        flags = FLAG_REQUIRETLS
    elif why == "off":
        conf = {"tls_reports": "no"}
    else:
        hop.close()
    relay = relay_for(world, hop, **conf)
    send(relay, flags=flags)
    assert counted(relay) == {}


# ---- what is kept ----

def test_restart_goes_on_counting(world, good):
    hop = world.hop(starttls=good)
    relay = relay_for(world, hop)
    assert send(relay).cls == DELIVERED
    relay.drain()
    relay = relay_for(world, hop, state_dir=relay.conf["state-dir"])
    assert send(relay).cls == DELIVERED
    assert counted(relay)["sts", DOMAIN][:2] == (2, 0)


def test_a_reload_loses_and_doubles_nothing(world, good):
    relay = relay_for(world, world.hop(starttls=good))
    assert send(relay).cls == DELIVERED
    relay.reload(tls_report_organization="Another")
    assert send(relay).cls == DELIVERED
    relay.reload(tls_reports="no")
    assert send(relay).cls == DELIVERED
    relay.reload(tls_reports="yes")
    assert send(relay).cls == DELIVERED
    assert counted(relay)["sts", DOMAIN][:2] == (3, 0)


def test_names_are_a_labels(world, good):                               # rpt-2
    a_label = "xn--bcher-kva.example"
    world.records.update({(a_label, MX): [(10, "mx." + a_label)], ("mx." + a_label, A): ["127.0.0.1"]})
    relay = relay_for(world, world.hop(starttls=good))
    assert send(relay, destination="b\u00fccher.example").cls == DELIVERED
    assert list(counted(relay)) == [("no-policy-found", a_label)]


def test_smart_host_is_the_policy_domain(world, good):                  # rpt-2 (8460 1.1), and sts-10
    world.records.pop(("_mta-sts." + DOMAIN, TXT))
    world.records[HOST, A] = ["127.0.0.1"]
    hop = world.hop(starttls=good)
    relay = relay_for(world, hop, relay="smtp://%s:%d" % (HOST, hop.port))
    assert send(relay, destination="").cls == DELIVERED
    assert counted(relay) == {("no-policy-found", HOST): (1, 0, [], [])}


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Sets the relay's wall clock ahead of ours, by so many seconds."""
    path = tmp_path / "clock"
    path.write_bytes(bytes(8))
    monkeypatch.setenv("RELAY_CLOCK", str(path))

    def ahead(seconds):
        with open(path, "r+b", buffering=0) as f:
            f.write(struct.pack("<q", int(seconds)))
    ahead.folder = tmp_path
    return ahead


def test_midnight(world, good, clock):                                  # rpt-2: a day is a day of UTC, and reported when it is over
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=mailto:reports@one.example"]
    world.dns = world.keep(SignedDns(world.records, ttl=0))
    hop = world.hop(starttls=good)
    clock(0)
    relay = relay_for(world, hop)
    assert send(relay).cls == DELIVERED
    first = today()
    # Shortly before four in the morning it may or may not be its turn; an hour later it was.
    clock((first + 1) * DAY + 5 * 3600 - time.time())
    relay.reload()                                                      # so that a new connection is made
    session = relay.attempt(["b@" + DOMAIN], destination=DOMAIN)
    letter = relay.letter()
    assert (letter.day, letter.successful, letter.failed) == (first, 1, 0)
    check_shape(json.loads(gzip.decompress(letter.report)), first)
    assert relay.wait(session)[0].cls == DELIVERED
    assert gone(relay, first)
    relay.drain()
    # What came after midnight belongs to the next day.
    text = open(os.path.join(folder(relay), date(first + 1))).read()
    assert "\np\tsts\t1\t0\t" in text, text
    assert "event=tls-reports-day" in relay.said()


@pytest.mark.parametrize("there", [False, True])
def test_clock_that_was_far_ahead(world, good, clock, there):
    clock(400 * DAY)
    relay = relay_for(world, world.hop(starttls=good), state_dir=str(clock.folder))
    assert send(relay).cls == DELIVERED
    end = time.monotonic() + 10
    while not os.path.exists(os.path.join(folder(relay), date(today() + 400))) and time.monotonic() < end:
        time.sleep(0.05)
    if there:
        kept(clock.folder, today(), "postern-tls-reports 1\t%d\t0\nd\t%s\t0\np\tsts\t41\t0\t%s\t%s\nend\n" % (
            today(), DOMAIN, DOMAIN, "\t".join(STS)))
    clock(0)
    relay.reload()
    assert send(relay).cls == DELIVERED
    assert counted(relay)["sts", DOMAIN][:2] == ((42, 0) if there else (2, 0))
    assert sorted(os.listdir(folder(relay))) == [date(today())] and "event=tls-reports-clock" in relay.said()


def test_nobody_is_asked_at_midnight_sharp(world, good, clock):         # rpt-2: a delay (8460 4.1)
    names = ["d%d.example" % i for i in range(200)]
    world.dns = world.keep(SignedDns(world.records))
    kept(clock.folder, today(), "postern-tls-reports 1\t%d\t0\n" % today() + "".join("d\t%s\t0\n" % n for n in names) + "end\n")
    hop = world.hop(starttls=good)
    relay = relay_for(world, hop, state_dir=str(clock.folder))
    clock((today() + 1) * DAY + 2 * 3600 - time.time())
    assert send(relay).cls == DELIVERED
    end, asked = time.monotonic() + 5, set()
    while time.monotonic() < end and len(asked) < 60:
        asked = {name for name, kind in list(world.dns.asked) if name.startswith("_smtp._tls.d")}
        time.sleep(0.05)
    time.sleep(0.5)
    asked = {name for name, kind in list(world.dns.asked) if name.startswith("_smtp._tls.d")}
    # About the half of them after two hours.
    assert 60 <= len(asked) <= 140, len(asked)


def test_damaged_file_is_said_and_removed(world, good, tmp_path):
    kept(tmp_path, today(), "postern-tls-reports 1\t%d\t0\nd\tone.example" % today())
    relay = relay_for(world, world.hop(starttls=good), state_dir=str(tmp_path))
    assert send(relay).cls == DELIVERED
    assert counted(relay)["sts", DOMAIN][:2] == (1, 0)
    assert "event=tls-reports-damaged" in relay.said()


def kept(state, day, text, tail=""):
    path = state / "relay" / "tls-reports"
    path.mkdir(parents=True, exist_ok=True)
    (path / (date(day) + tail)).write_text(text)


# ---- what is sent ----

DAYS_AGO = 2            # whatever the delay behind midnight is, it is over


def yesterday(state, domains=(DOMAIN,), settled="", missed=0):
    """Sessions of a day that is over: what 5_relay would have left behind."""
    day = today() - DAYS_AGO
    text = "postern-tls-reports 1\t%d\t0\n" % day
    for d in domains:
        text += "d\t%s\t%d\np\tsts\t5326\t303\t%s\tversion: STSv1\tmode: testing\tmx: *.mail.%s\tmax_age: 86400\n" % (d, missed, d, d)
        text += "f\tcertificate-expired\t100\tmx1.mail.%s\t192.0.2.1\t198.51.100.1\t\n" % d
        text += "f\tstarttls-not-supported\t200\tmx2.mail.%s\t2001:db8::7\t198.51.100.1\t\n" % d
        text += "f\tvalidation-failure\t3\tmx-backup.mail.%s\t192.0.2.9\t198.51.100.1\tproxy path length exceeded\n" % d
        text += "p\tno-policy-found\t7\t0\t%s\n" % d
    kept(state, day, text + "end\n")
    if settled:
        kept(state, day, settled, ".settled")
    return day


def check_shape(report, day, domain=DOMAIN):
    """RFC 8460 4.4 and its appendix B: every key that must be there, and none that nobody knows."""
    assert set(report) == {"organization-name", "date-range", "contact-info", "report-id", "policies"}
    assert report["date-range"] == {"start-datetime": date(day) + "T00:00:00Z", "end-datetime": date(day) + "T23:59:59Z"}
    assert report["contact-info"].count("@") == 1 and report["report-id"]
    assert isinstance(report["policies"], list) and report["policies"]
    for p in report["policies"]:
        assert {"policy", "summary"} <= set(p) <= {"policy", "summary", "failure-details"}
        assert {"policy-type", "policy-domain"} <= set(p["policy"]) <= {"policy-type", "policy-string", "policy-domain", "mx-host"}
        assert p["policy"]["policy-type"] in ("tlsa", "sts", "no-policy-found") and p["policy"]["policy-domain"] == domain
        assert all(isinstance(p["policy"].get(k, []), list) for k in ("policy-string", "mx-host"))
        assert set(p["summary"]) == {"total-successful-session-count", "total-failure-session-count"}
        for f in p.get("failure-details", []):
            assert {"result-type", "failed-session-count"} <= set(f) <= {
                "result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "failed-session-count",
                "additional-information", "failure-reason-code"}
            assert isinstance(f["failed-session-count"], int)


def check_report(octets, day):
    report = json.loads(gzip.decompress(octets))
    check_shape(report, day)
    sts, none = report["policies"]
    assert sts["policy"] == {"policy-type": "sts", "policy-domain": DOMAIN, "mx-host": ["*.mail." + DOMAIN],
                             "policy-string": ["version: STSv1", "mode: testing", "mx: *.mail." + DOMAIN, "max_age: 86400"]}
    assert sts["summary"] == {"total-successful-session-count": 5326, "total-failure-session-count": 303}
    assert sts["failure-details"] == [
        {"result-type": "certificate-expired", "sending-mta-ip": "198.51.100.1", "receiving-mx-hostname": "mx1.mail." + DOMAIN,
         "receiving-ip": "192.0.2.1", "failed-session-count": 100},
        {"result-type": "starttls-not-supported", "sending-mta-ip": "198.51.100.1", "receiving-mx-hostname": "mx2.mail." + DOMAIN,
         "receiving-ip": "2001:db8::7", "failed-session-count": 200},
        {"result-type": "validation-failure", "sending-mta-ip": "198.51.100.1", "receiving-mx-hostname": "mx-backup.mail." + DOMAIN,
         "receiving-ip": "192.0.2.9", "failed-session-count": 3, "failure-reason-code": "proxy path length exceeded"}]
    assert none == {"policy": {"policy-type": "no-policy-found", "policy-domain": DOMAIN},
                    "summary": {"total-successful-session-count": 7, "total-failure-session-count": 0}}
    return report


def gone(relay, day):
    end = time.monotonic() + 10
    path = os.path.join(folder(relay), date(day))
    while os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
    return not os.path.exists(path) and not os.path.exists(path + ".settled")


def test_by_mail(world, tmp_path):                                      # rpt-1, rpt-2, rpt-3, rpt-4
    day = yesterday(tmp_path)
    world.records[WANTED, TXT] = ["v=spf1 -all", "v=TLSRPTv1; rua=mailto:reports@one.example"]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    letter = relay.letter()
    assert (letter.to, letter.domain, letter.day) == ("reports@one.example", DOMAIN, day)
    assert (letter.successful, letter.failed, letter.missed) == (5333, 303, 0)
    report = check_report(letter.report, day)
    assert report["organization-name"] == "Relay & Soens" and report["contact-info"] == CONTACT
    assert report["report-id"] == "%s.%s.relay.example@relay.example" % (date(day), DOMAIN)
    assert gone(relay, day)


class Reports(HttpsServer):
    """Reports are posted to it."""

    def __init__(self, context, status="200 OK"):
        self.status, self.bodies = status, []
        super().__init__(context)

    def answer(self, lines, body):
        self.asked.append(lines)
        self.bodies.append(body)
        return response(self.status)


def await_bodies(web, count=1):
    end = time.monotonic() + 10
    while len(web.bodies) < count and time.monotonic() < end:
        time.sleep(0.05)
    return web.bodies


def wants_https(world, web, path="/v1/tlsrpt?for=one"):
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=https://reports.example:%d%s" % (web.port, path)]
    world.records["reports.example", A] = ["127.0.0.1"]


@pytest.mark.parametrize("certificate", ["good", "of another name"])
def test_by_https(world, authority, other, tmp_path, certificate):      # rpt-4; 8460 3: whatever the certificate is
    day = yesterday(tmp_path)
    web = world.keep(Reports(authority.context("DNS:reports.example") if certificate == "good" else other, status="201 Created"))
    wants_https(world, web)
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path), tls_report_private="yes")
    check_report(await_bodies(web)[0], day)
    assert web.asked[0][0] == "POST /v1/tlsrpt?for=one HTTP/1.1" and "Content-Type: application/tlsrpt+gzip" in web.asked[0]
    assert not any(line.lower().startswith("expect") for line in web.asked[0])
    assert gone(relay, day) and len(web.bodies) == 1
    assert ("event=tls-report-unverified" in relay.said()) == (certificate != "good")


def test_not_into_our_own_network(world, authority, tmp_path):
    """A stranger's record does not make us talk to hosts that only we can reach."""
    yesterday(tmp_path)
    web = world.keep(Reports(authority.context("DNS:reports.example")))
    wants_https(world, web)
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    await_said(relay, "tls-report-private")
    assert not web.asked


def await_said(relay, words):
    end = time.monotonic() + 10
    while words not in relay.said() and time.monotonic() < end:
        time.sleep(0.05)
    assert words in relay.said()


@pytest.mark.parametrize("records", [None, ["v=TLSRPTv1; rua=mailto:a@one.example", "v=TLSRPTv1; rua=mailto:b@one.example"],
                                     ["v=TLSRPTv1; rua=ftp://one.example/"]])
def test_nobody_wants_it(world, tmp_path, records):                     # rpt-1: more than one is none
    day = yesterday(tmp_path)
    if records is not None:
        world.records[WANTED, TXT] = records
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    assert gone(relay, day)
    with pytest.raises(TimeoutError):
        relay.letter(0.2)


def test_each_uri_and_one_is_enough(world, authority, tmp_path):        # 8460 3
    day = yesterday(tmp_path)
    web = world.keep(Reports(authority.context("DNS:reports.example"), status="500 No"))
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=https://reports.example:%d/,mailto:reports@one.example" % web.port]
    world.records["reports.example", A] = ["127.0.0.1"]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path), tls_report_private="yes")
    assert relay.letter().to == "reports@one.example" and len(web.bodies) == 1
    assert gone(relay, day)


def test_later_again_and_the_next_life_knows_since_when(world, tmp_path):       # rpt-4: retries for 24 hours
    day = yesterday(tmp_path)
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=mailto:reports@one.example"]
    hop = world.hop()
    relay = relay_for(world, hop, state_dir=str(tmp_path))
    relay.letter(fail=5)
    await_said(relay, "event=tls-report-failed")
    relay.process.send_signal(signal.SIGKILL)
    relay.process.wait(10)
    path = tmp_path / "relay" / "tls-reports" / (date(day) + ".settled")
    word, when, name = path.read_text().split()
    assert (word, name) == ("begun", DOMAIN) and abs(int(when) / 1000 - time.time()) < 60
    # A day later it is tried once more, and then dropped.
    path.write_text("begun %d %s\n" % (int(when) - DAY * 1000, DOMAIN))
    relay = relay_for(world, hop, state_dir=str(tmp_path))
    relay.letter(fail=5)
    await_said(relay, "event=tls-report-dropped")
    assert gone(relay, day)


def test_what_is_settled_is_not_sent_again(world, tmp_path):
    two = "two.example"
    day = yesterday(tmp_path, (DOMAIN, two), settled="begun 1 %s\nsettled %s\nsettled %s" % (DOMAIN, DOMAIN, two))
    for d in (DOMAIN, two):
        world.records["_smtp._tls." + d, TXT] = ["v=TLSRPTv1;rua=mailto:reports@" + d]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    # The last line was cut by a crash: that one is not settled.
    assert relay.letter().domain == two
    assert gone(relay, day)


def test_a_spool_that_goes_without_an_answer(world, tmp_path):
    yesterday(tmp_path)
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=mailto:reports@one.example"]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    relay.letter(fail=None)
    relay.new_spool()
    await_said(relay, "the spool is gone")
    relay.reload()
    relay.drain()


def test_a_reload_while_the_spool_writes_sends_nothing_twice(world, tmp_path):
    day = yesterday(tmp_path)
    world.records[WANTED, TXT] = ["v=TLSRPTv1;rua=mailto:reports@one.example"]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    letter = relay.letter(fail=None)
    relay.reload()
    with pytest.raises(TimeoutError):
        relay.letter(0.5)
    relay.spool.send(LETTER_TAKEN, letter.session, u32(0))
    assert gone(relay, day)


def test_many_domains(world, tmp_path):
    names = ["d%d.example" % i for i in range(100)]
    day = yesterday(tmp_path, names, missed=3)
    for d in names:
        world.records["_smtp._tls." + d, TXT] = ["v=TLSRPTv1;rua=mailto:reports@" + d]
    relay = relay_for(world, world.hop(), state_dir=str(tmp_path))
    letters = [relay.letter() for _ in names]
    assert sorted(one.domain for one in letters) == sorted(names) and all(one.missed == 3 for one in letters)
    assert gone(relay, day)
