"""What a domain tells mail programs in autoconfig files, and whether its SRV records say the same (8314-10, 8314-35, 6186-1)."""
import json
import socket
import ssl
import time

import pytest

from listeners import HttpsServer, header, response
from peers import A, AAAA, MX
from postern_server import free_port, postern
from signed import TXT, SignedDns
from zoo import Animal, Habits

SRV = 33
DOMAIN, HOST, FILES = "example.org", "mail.example.org", "autoconfig.example.org"
FIRST, SECOND = "/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"


def server(port, socket_type="SSL", host="mail.%EMAILDOMAIN%", method="password-cleartext"):
    return f"<outgoingServer type='smtp'><hostname>{host}</hostname><port>{port}</port><socketType>{socket_type}</socketType>" \
           f"<authentication>{method}</authentication></outgoingServer>"


def config(*servers):
    return "<?xml version='1.0'?><clientConfig version='1.1'><emailProvider id='x'><domain>example.org</domain>" + "".join(servers) + \
           "</emailProvider></clientConfig>"


def srv(priority, port, host=HOST):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in host.split("."))
    return priority.to_bytes(2, "big") + (1).to_bytes(2, "big") + port.to_bytes(2, "big") + labels + b"\0"


class Web(HttpsServer):
    """{(host, path): (status, more header lines, body)}; whatever else is asked for is not found."""

    def __init__(self, chain, key, pages):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.pages = pages
        super().__init__(context)

    def answer(self, lines, _):
        where = header(lines, "host").split(":")[0], lines[0].split(" ")[1]
        self.asked.append(where)
        status, more, body = self.pages.get(where, ("404 Not Found", "", ""))
        return response(status, body if isinstance(body, bytes) else body.encode(), more)


@pytest.fixture(scope="module")
def animal(papers):
    chain, key = papers.issue("domain", names=f"DNS:{HOST}")
    with Animal(Habits(chain=chain, key=key)) as one:
        yield one


def port_of(animal):
    return int(animal.target.split(":")[1].split("/")[0])


@pytest.fixture
def examine(papers):
    made = []

    def run(pages, records=None, names=f"DNS:{FILES},DNS:{DOMAIN},DNS:elsewhere.example", stem="web", timeout="2", issuer=True, silent=None):
        chain, key = papers.issue(stem, names=names, issuer=issuer)
        web = Web(chain, key, {k if isinstance(k, tuple) else (FILES, k): v if isinstance(v, tuple) else ("200 OK", "", v) for k, v in pages.items()})
        made.append(web)
        if silent:
            made.append(socket.create_server((silent, web.port)))
        dns = SignedDns({(DOMAIN, TXT): ["v=spf1 -all"], (HOST, A): ["127.0.0.1"], (HOST, AAAA): [], (FILES, A): ["127.0.0.1"], (FILES, AAAA): [],
                         ("other.example.org", A): ["127.0.0.1"], (DOMAIN, A): ["127.0.0.1"], (DOMAIN, AAAA): [],
                         ("elsewhere.example", A): ["127.0.0.1"], ("elsewhere.example", AAAA): [],
                         **(records or {})}, [])
        made.append(dns)
        done = postern("audit", "--json", "--timeout", timeout, "--ca-file", papers.ca, "--resolver", dns.server, "--trust-anchor", "/dev/null",
                       "--autoconfig-port", str(web.port), f"someone@{DOMAIN}", timeout=60)
        assert done.returncode in (0, 1, 2), done.stderr
        endpoints = json.loads(done.stdout)["targets"][0]["endpoints"]
        return {f["id"]: f["evidence"] for f in endpoints[0]["findings"]}, endpoints[1:], web

    yield run
    for one in made:
        one.close()


def ids(found):
    return set(found) - {"announced", "mta-sts-missing", "tlsrpt-missing", "srv-missing", "srv-unsigned"}


def test_the_file_leads_to_the_service(animal, examine):
    port = port_of(animal)
    found, (first, *_), web = examine({FIRST: config(server(port))})
    assert ids(found) == {"autoconfig-good"}
    assert f"{HOST}:{port} by autoconfig" in found["announced"] and f"{HOST} {port} SSL password-cleartext autoconfig" in found["autoconfig-good"]
    assert first["port"] == port and first["service"] == "submissions" and first["grade"] == "A"
    # Nobody is told whose service is examined.
    assert sorted(web.asked) == sorted([(FILES, FIRST), (DOMAIN, SECOND)])


def test_the_other_place(examine):
    found, endpoints, _ = examine({(DOMAIN, SECOND): config(server(free_port()))})
    assert ids(found) == {"autoconfig-good"} and "by well-known" in found["announced"] and len(endpoints) == 1


def test_every_source_is_named(examine):
    port = free_port()
    found, endpoints, _ = examine({FIRST: config(server(port)), (DOMAIN, SECOND): config(server(port))},
                                  {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, port)]})
    assert ids(found) == {"autoconfig-good", "srv-good"} and len(endpoints) == 1
    assert [place.split(" by ")[1] for place in found["announced"].split("; ")] == ["srv", "autoconfig", "well-known"]


def test_nothing_anywhere(examine):
    found, endpoints, _ = examine({})
    assert ids(found) == {"autoconfig-missing", "service-not-found"} and endpoints == []


def test_guessed_only_when_nothing_was_said(examine):
    found, _, _ = examine({FIRST: config(server(free_port()))}, {(DOMAIN, MX): [(10, "mx.example.org")]})
    assert "found-by-guess" not in found and "mx.example.org:25 by mx" in found["announced"]


FILES_SAY = [
    ("clear text", config(server(1, "plain")), {"autoconfig-clear"}, "plain"),
    ("STARTTLS only", config(server(1, "STARTTLS")), {"autoconfig-no-implicit"}, "STARTTLS"),
    ("STARTTLS first", config(server(1, "STARTTLS"), server(2)), {"autoconfig-order"}, "comes before one with SSL"),
    ("no login", config(server(1, method="none")), {"autoconfig-no-login", "autoconfig-good"}, "none"),
    ("no outgoing server", config(), {"autoconfig-empty", "service-not-found"}, "0 servers"),
    ("one without a port", config(server(1), server("")), {"autoconfig-partly", "autoconfig-good"}, "1 that cannot be used"),
    ("no XML", "host=mail.example.org", {"autoconfig-bad", "service-not-found"}, "line 1: "),
    ("not closed", config(server(1))[:-10], {"autoconfig-bad", "service-not-found"}, "unclosed token"),
    ("entities without end", "<!DOCTYPE x [" + "".join(f"<!ENTITY e{i} '&e{i + 1};&e{i + 1};'>" for i in range(40)) + "]><clientConfig>&e0;</clientConfig>",
     {"autoconfig-bad", "service-not-found"}, "document type"),
    ("without end", "<clientConfig>" + "<a></a>" * 10000, {"autoconfig-failed", "service-not-found"}, "longer than 65536 octets"),
    ("a web page", "\ufeff<!DOCTYPE html><html>welcome</html>", {"autoconfig-missing", "service-not-found"}, "a web page came"),
    ("an error", ("500 Oops", "", "x"), {"autoconfig-failed", "service-not-found"}, "500"),
    ("a redirect in clear", ("302 Found", "Location: http://example.org/a.xml\r\n", ""), {"autoconfig-failed", "service-not-found"}, "not followed"),
    ("a redirect to a file", ("302 Found", "Location: file:///etc/passwd\r\n", ""), {"autoconfig-failed", "service-not-found"}, ""),
]


@pytest.mark.parametrize("body,expected,words", [case[1:] for case in FILES_SAY], ids=[case[0] for case in FILES_SAY])
def test_what_the_file_says(examine, body, expected, words):
    found, _, _ = examine({FIRST: body})
    assert ids(found) == expected, found
    assert any(words in evidence for i, evidence in found.items() if i.startswith("autoconfig")), found


def test_redirects_within_https(examine):
    """The address of where it leads is looked up like any other, its certificate must be good, and it ends somewhere."""
    pages = {FIRST: ("301 Moved", "Location: /next\r\n", ""), "/next": config(server(free_port()))}
    found, _, web = examine(pages)
    assert ids(found) == {"autoconfig-good"} and (FILES, "/next") in web.asked
    pages["/next"] = ("301 Moved", "Location: /next\r\n", "")
    found, _, web = examine(pages)
    assert ids(found) == {"autoconfig-failed", "service-not-found"} and web.asked.count((FILES, "/next")) == 3


@pytest.mark.parametrize("names,issuer", [("DNS:other.example", True), (f"DNS:{FILES},DNS:{DOMAIN}", False)])
def test_a_web_server_that_proves_nothing(examine, names, issuer):
    found, endpoints, web = examine({FIRST: config(server(free_port()))}, names=names, issuer=issuer, stem=f"web-{issuer}-{len(names)}")
    assert ids(found) == {"autoconfig-untrusted", "service-not-found"} and web.asked == [] and endpoints == []


def test_one_against_the_other(examine):
    port = free_port()
    found, _, _ = examine({FIRST: config(server(port, "STARTTLS"))}, {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, port)]})
    assert ids(found) == {"announced-otherwise", "autoconfig-no-implicit", "srv-good"}
    assert found["announced-otherwise"] == "SRV: first implicit TLS; autoconfig: first STARTTLS"
    found, _, _ = examine({FIRST: config(server(port, host="other.example.org"))}, {(f"_submissions._tcp.{DOMAIN}", SRV): [srv(0, port)]})
    assert ids(found) == {"announced-elsewhere", "autoconfig-good", "srv-good"}


def test_a_web_server_that_says_nothing(examine):
    since = time.monotonic()
    found, _, _ = examine({}, {(FILES, A): ["127.0.0.2"]}, timeout="1", silent="127.0.0.2")
    assert ids(found) == {"autoconfig-failed", "service-not-found"} and "timed out" in found["autoconfig-failed"], found
    assert time.monotonic() - since < 4
