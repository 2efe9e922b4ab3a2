"""What a domain's DNS says of its submission service, and of its certificates (6186-1, 8314-10, 8314-26, 8314-35, dane-*)."""
import hashlib
import json
import ssl
import subprocess

import pytest

from peers import A, AAAA, MX
from postern_server import free_port, postern
from schemas import validate
from signed import TLSA, TXT, SignedDns, Zone
from zoo import Animal, Habits

SRV = 33
DOMAIN, HOST = "example.org", "mail.example.org"
STS, RPT = f"_mta-sts.{DOMAIN}", f"_smtp._tls.{DOMAIN}"


def srv(priority, port, host=HOST):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in host.split(".")) if host != "." else b""
    return priority.to_bytes(2, "big") + (1).to_bytes(2, "big") + port.to_bytes(2, "big") + labels + b"\0"


@pytest.fixture
def animal(papers):
    chain, key = papers.issue("domain", names=f"DNS:{HOST}")
    with Animal(Habits(chain=chain, key=key)) as one:
        one.papers, one.chain = papers, chain
        yield one


class World:
    """The domain's zone, signed or not, with an address for the host and what is given."""

    def __init__(self, folder, records, signed=True):
        zone = Zone(DOMAIN)
        self.dns = SignedDns({(DOMAIN, TXT): ["v=spf1 -all"], (HOST, A): ["127.0.0.1"], (HOST, AAAA): [], **records}, [zone] if signed else [])
        self.options = ["--resolver", self.dns.server, "--trust-anchor", zone.anchor(folder)] if signed else \
            ["--resolver", self.dns.server, "--trust-anchor", "/dev/null"]

    def audit(self, animal, target=f"@{DOMAIN}", *more):
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", animal.papers.ca, *self.options, *more, target, timeout=60)
        assert done.returncode in (0, 1, 2), done.stderr
        report = json.loads(done.stdout)
        validate("audit", report)
        return done.returncode, report["targets"][0]["endpoints"]


def found(endpoint):
    return {f["id"]: f for f in endpoint["findings"]}


def port_of(animal):
    return int(animal.target.split(":")[1].split("/")[0])


@pytest.fixture
def world(tmp_path, request):
    made = []

    def make(records, signed=True):
        made.append(World(tmp_path, records, signed))
        return made[-1]

    yield make
    for one in made:
        one.dns.close()


def test_srv_leads_to_the_service(animal, world):
    w = world({(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, port_of(animal))], (f"_submission._tcp.{DOMAIN}", SRV): [srv(10, 1)],
               (STS, TXT): ["v=STSv1; id=1"], (RPT, TXT): ["v=TLSRPTv1; rua=mailto:t@example.org"], (DOMAIN, MX): [(10, HOST)]})
    status, (records, first, *_) = w.audit(animal, f"somebody@{DOMAIN}")
    assert status == 0 and records["kind"] == "the domain's records"
    assert set(found(records)) == {"srv-good", "autoconfig-missing", "announced"}
    assert first["port"] == port_of(animal) and "cert-good" in found(first) and first["kind"] == "SMTP over TLS"


@pytest.mark.parametrize("name,records,signed,expected", [
    ("nothing", {}, True, {"srv-missing", "service-not-found"}),
    ("only STARTTLS", {(f"_submission._tcp.{DOMAIN}", SRV): [srv(0, 1)]}, True, {"srv-no-implicit"}),
    ("decidedly not", {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, 0, ".")], (f"_submission._tcp.{DOMAIN}", SRV): [srv(0, 1)]}, True, {"srv-no-implicit"}),
    ("STARTTLS first", {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(10, 1)], (f"_submission._tcp.{DOMAIN}", SRV): [srv(9, 2)]}, True, {"srv-order"}),
    ("as good as STARTTLS", {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(10, 1)], (f"_submission._tcp.{DOMAIN}", SRV): [srv(10, 2)]}, True,
     {"srv-order-equal"}),
    ("somewhere else", {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, 1, "mail.hoster.example")], ("mail.hoster.example", A): ["127.0.0.1"]}, False,
     {"srv-good", "srv-unsigned", "srv-elsewhere"}),
    ("unsigned", {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, 1)]}, False, {"srv-good", "srv-unsigned"}),
    ("by MX", {(DOMAIN, MX): [(10, HOST)]}, True, {"srv-missing", "found-by-guess", "mta-sts-missing", "tlsrpt-missing"}),
    ("no answer", {(f"_submissions._tcp.{DOMAIN}", SRV): "SERVFAIL"}, True, {"dns-failed"}),
])
def test_what_the_records_say(animal, world, name, records, signed, expected):
    _, endpoints = world(records, signed).audit(animal)
    assert set(found(endpoints[0])) - {"announced", "autoconfig-missing", "autoconfig-failed"} == expected, endpoints[0]
    assert all(f["evidence"] for f in endpoints[0]["findings"])
    assert all("(asked: 127.0.0.1@" in str(f["evidence"]) for f in endpoints[0]["findings"] if f["id"] == "dns-failed")


def digest_of_key(chain):
    cert = ssl.PEM_cert_to_DER_cert(chain.read_text())
    pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"], input=cert, capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout
    return hashlib.sha256(der).digest()


@pytest.mark.parametrize("record,signed,expected", [
    (lambda d: (3, 1, 1, d), True, {"tlsa-good"}),
    (lambda d: (3, 1, 1, bytes(32)), True, {"tlsa-differs"}),
    (lambda d: (3, 1, 1, d), False, {"tlsa-unsigned"}),
    (lambda d: (1, 1, 1, d), True, {"tlsa-unusable"}),
])
def test_tlsa(animal, world, record, signed, expected):                  # dane-11: at _465._tcp and _587._tcp
    port = port_of(animal)
    w = world({(f"_{port}._tcp.{HOST}", TLSA): [record(digest_of_key(animal.chain))]}, signed)
    _, (endpoint, *_) = w.audit(animal, f"{HOST}:{port}/submissions")
    assert {i for i in found(endpoint) if i.startswith("tlsa")} == expected


def test_a_name_without_an_address(animal, world):
    status, endpoints = world({}).audit(animal, f"nowhere.{DOMAIN}:465")
    assert (status, [(e["kind"], e["grade"], set(found(e))) for e in endpoints]) == (2, [("a name without an address", None, {"host-unknown"})])


@pytest.mark.parametrize("target,words", [("@", "no host name"), ("a@example.org:465", "found by itself"), ("@exa mple", "no host name"),
                                          ("::1", "stands in brackets"), ("2001:db8::1", "stands in brackets")])
def test_what_is_no_domain(target, words):
    done = postern("audit", target)
    assert done.returncode == 64 and words in done.stderr


def test_a_resolver_that_does_not_answer():
    """That nobody answers says nothing about the host."""
    done = postern("audit", "--timeout", "1", "--resolver", f"127.0.0.1@{free_port()}", HOST)
    assert done.returncode == 2 and f"{HOST}: no answer in time" in done.stdout, done.stdout
