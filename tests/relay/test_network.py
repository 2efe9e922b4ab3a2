"""Every policy of a receiver's on a network that is nobody's fake: names that NSD serves signed from the root down (network.py), mail
exchangers that are Postfix, an HTTPS server for MTA-STS, and boxes in between that strip, refuse and impersonate.

One server of ours, in its cage, is given one mail for each row; then each row is looked at: did the mail arrive, over which TLS, or why not,
did any octet of it go where it must not, and what will the receiver's TLS report say of it.
"""
import re
import ssl
import time
import warnings

import pytest

from network import Box, Certificates, Names, Postfix, missing, run
from peers import Hop
from postern_server import Server, eventually, free_port
from road import Report, client
from test_reports import counted_in, yesterday
from test_sts import Web, policy

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

GOOD, OLD, BARE, SNI, STRIP, REFUSE, MITM, KEEN, WEAK, DOMAIN, INJECT, OLDEST, DENY = ["127.0.20.%d" % i for i in range(1, 14)]
DELIVERED, WAITS, BOUNCED = "delivered", "deferred", "failed"
CLEAR = r"none$"
OPPORTUNISTIC = r"^TLSv1\.[23] \S+ opportunistic( |$)"
UNKNOWN = "not known whether this host|did not say whether this host|DNSSEC validation failed"


class Row:
    """One domain, NAME.example, whose mail exchanger is mx.NAME.example.

    at       the address of mx.NAME.example; None: it has none
    tlsa     ["usage selector matching certificate"] of it, with " spoilt" behind for data that fits nothing
    sts      the keyword arguments of its policy; named: the certificate at GOOD is for mx.NAME.example
    names    further records; an owner that ends with "." stands as it is, others are below NAME.example
    late, gone, changed   what an attacker has done to records: as Zone has it, owners as in names
    want     what becomes of it; words: what the reason or its TLS says (a regular expression)
    report   (type, result) of what is counted, "" for a success; None: nothing is
    """

    def __init__(self, name, ids, want, words="", at=GOOD, tlsa=(), sts=None, named=False, names=(), late=(), gone=(), changed=None,
                 report=None, mail=(), head="", below="", web=None, enhanced=None, mx=True,
                 rcpt=None):
        self.name, self.ids, self.want, self.words, self.at, self.tlsa, self.sts, self.named = name, ids, want, words, at, tlsa, sts, named
        self.names, self.late, self.gone, self.changed, self.report = list(names), late, gone, changed or {}, report
        self.mail, self.head, self.web, self.enhanced, self.mx = list(mail), head, web, enhanced, mx
        self.domain = name + (".%s" % below if below else "") + ".example"
        self.rcpt = rcpt or "b@" + self.domain

    def __repr__(self):
        return self.name


FITS = ["3 1 1 good"]
WRONG = ["3 1 1 good spoilt"]
DANE = r" dane 3 1 1 verified$"
ENFORCE = {"mode": "enforce"}

ROWS = [
    # ---- DANE: who must prove himself, and how (RFC 7672 2.2, 3) ----
    Row("fits", "dane-3", DELIVERED, DANE, tlsa=FITS, report=("tlsa", "")),
    Row("ee", "dane-6: neither name nor dates", DELIVERED, DANE, at=OLD, tlsa=["3 1 1 old"], report=("tlsa", "")),
    Row("wrong", "dane-3", WAITS, "no TLSA record fits", tlsa=WRONG, report=("tlsa", "tlsa-invalid"), enhanced="4.7.5"),
    Row("impostor", "dane-3", WAITS, "no TLSA record fits", at=MITM, tlsa=FITS, report=("tlsa", "tlsa-invalid")),
    Row("rollover", "dane-10", DELIVERED, DANE, tlsa=["3 1 1 old"] + FITS, report=("tlsa", "")),
    Row("strongest", "dane-8", WAITS, "no TLSA record fits", tlsa=FITS + ["3 1 2 good spoilt"], report=("tlsa", "tlsa-invalid")),
    Row("whole", "dane-8; 6698 2.1.3, over TCP", DELIVERED, r" dane 3 0 0 verified$", tlsa=["3 0 0 good", "3 0 0 old", "3 0 0 domain"],
        report=("tlsa", "")),
    Row("ta", "dane-6", DELIVERED, r" dane 2 0 1 mx\.ta\.example verified$", tlsa=["2 0 1 ca"], named=True, report=("tlsa", "")),
    Row("ta-domain", "dane-6: the next-hop domain", DELIVERED, r" dane 2 1 1 ta-domain\.example verified$", at=DOMAIN, tlsa=["2 1 1 ca"],
        report=("tlsa", "")),
    Row("ta-name", "dane-6: names count", WAITS, "another name", tlsa=["2 1 1 ca"], report=("tlsa", "certificate-host-mismatch")),
    Row("ta-old", "dane-6: dates count", WAITS, "expired", at=OLD, tlsa=["2 1 1 ca"], report=("tlsa", "certificate-expired")),
    Row("ta-absent", "dane-6: in the server's chain", WAITS, "no TLSA record fits", at=MITM, tlsa=["2 1 1 ca"], report=("tlsa", "tlsa-invalid")),
    Row("sni", "dane-9, tls-7", DELIVERED, r" dane 2 1 1 mx\.sni\.example verified$", at=SNI, tlsa=["2 1 1 ca"], report=("tlsa", "")),
    Row("unusable", "dane-3, dane-7", DELIVERED, " dane-unusable ", at=MITM, tlsa=["1 1 1 good", "0 0 1 ca"], report=("tlsa", "tlsa-invalid")),
    Row("unusable-bare", "dane-3, dane-7: TLS all the same", WAITS, "STARTTLS", at=BARE, tlsa=["1 1 1 good"],
        report=("tlsa", "starttls-not-supported")),
    Row("none", "dane-3: no TLSA, and that is proven", DELIVERED, CLEAR, at=BARE, report=("no-policy-found", "starttls-not-supported")),
    Row("three", "dane-3: the same with NSEC3", DELIVERED, CLEAR, at=BARE, below="three", report=("no-policy-found", "starttls-not-supported")),
    Row("three-fits", "dane-3", DELIVERED, DANE, tlsa=FITS, below="three", report=("tlsa", "")),
    # ---- where TLSA records are looked for (2.2.1 to 2.2.3) ----
    Row("no-mx", "dane-4: the domain is its own host", DELIVERED, DANE, mx=False, names=[("", "A " + GOOD), ("_PORT._tcp", "TLSA 3 1 1 good")],
        report=("tlsa", "")),
    Row("alias", "dane-4: what the alias leads to", DELIVERED, r" dane 2 1 1 real\.alias\.example verified$", at=None, report=("tlsa", ""),
        names=[("mx", "CNAME real.alias.example."), ("real", "A " + SNI), ("_PORT._tcp.real", "TLSA 2 1 1 ca"), ("_PORT._tcp.mx", "TLSA 3 1 1 good spoilt")]),
    Row("alias-itself", "dane-4: then the alias", DELIVERED, DANE, at=None, tlsa=FITS, report=("tlsa", ""),
        names=[("mx", "CNAME real.alias-itself.example."), ("real", "A " + GOOD)]),
    Row("alias-out", "7672 2.2.2: a signed alias into an insecure zone", WAITS, "no TLSA record fits", at=None, tlsa=WRONG, report=("tlsa", "tlsa-invalid"),
        names=[("mx", "CNAME good.plain.example.")]),
    Row("tlsa-alias", "7671 7: TLSA by CNAME", DELIVERED, DANE, report=("tlsa", ""),
        names=[("_PORT._tcp.mx", "CNAME shared.tlsa-alias.example."), ("shared", "TLSA 3 1 1 good")]),
    Row("tlsa-alias-out", "7671 7: an insecure step makes it insecure", DELIVERED, OPPORTUNISTIC, report=("no-policy-found", ""),
        names=[("_PORT._tcp.mx", "CNAME tlsa.plain.example.")]),
    Row("tlsa-insecure", "dane-3: TLSA in a zone that nobody vouches for", DELIVERED, OPPORTUNISTIC, tlsa=WRONG, report=("no-policy-found", "")),
    Row("domain-alias", "dane-4: the recipient's domain is an alias", DELIVERED, DANE, mx=False, report=("tlsa", ""),
        names=[("", "CNAME real.domain-alias.example."), ("real", "MX 10 mx.real.domain-alias.example."), ("mx.real", "A " + GOOD),
               ("_PORT._tcp.mx.real", "TLSA 3 1 1 good")]),
    Row("wild", "dane-4: a wildcard", DELIVERED, DANE, names=[("*._tcp.mx", "TLSA 3 1 1 good")], report=("tlsa", "")),
    Row("wild-mx", "dane-4: the MX by a wildcard, and that is proven", DELIVERED, DANE, mx=False, below="wilds", report=("tlsa", ""),
        names=[("*.wilds.example.", "MX 10 mx.wilds.example."), ("mx.wilds.example.", "A " + GOOD), ("_PORT._tcp.mx.wilds.example.", "TLSA 3 1 1 good")]),
    Row("moved-tree", "dane-1: a domain below a DNAME", DELIVERED, DANE, mx=False, below="old-name", report=("tlsa", ""),
        names=[("old-name.example.", "DNAME new-name.example."), ("moved-tree.new-name.example.", "MX 10 mx.new-name.example."),
               ("mx.new-name.example.", "A " + GOOD), ("_PORT._tcp.mx.new-name.example.", "TLSA 3 1 1 good")]),
    Row("other-port", "dane-4: _25 is not our port", DELIVERED, OPPORTUNISTIC, names=[("_25._tcp.mx", "TLSA 3 1 1 good spoilt")],
        report=("no-policy-found", "")),
    Row("insecure", "dane-1: no DNSSEC, no DANE", DELIVERED, OPPORTUNISTIC, tlsa=WRONG, below="plain", report=("no-policy-found", "")),
    Row("insecure-host", "dane-4: an insecure address", DELIVERED, OPPORTUNISTIC, mx=False, names=[("", "MX 10 good.plain.example.")],
        report=("no-policy-found", "")),
    Row("insecure-mx", "dane-1: an insecure MX to a signed host", DELIVERED, CLEAR, mx=False, below="plain", report=("no-policy-found", "starttls-not-supported"),
        names=[("", "MX 10 mx.insecure-host.example."), ("mx.insecure-host.example.", "A " + BARE), ("_PORT._tcp.mx.insecure-host.example.", "TLSA 3 1 1 good")]),
    Row("order", "dane-5: the first is the first", DELIVERED, CLEAR, at=BARE, report=("no-policy-found", "starttls-not-supported"),
        names=[("", "MX 20 second.order.example."), ("second", "A " + GOOD), ("_PORT._tcp.second", "TLSA 3 1 1 good")]),
    Row("next", "dane-5", DELIVERED, DANE, tlsa=WRONG, names=[("", "MX 20 second.next.example."), ("second", "A " + GOOD),
                                                             ("_PORT._tcp.second", "TLSA 3 1 1 good")]),
    # ---- what is not known is not "none" (2.1) ----
    Row("tampered", "dane-2: the attacker's key under the old signature", WAITS, UNKNOWN, at=MITM, tlsa=FITS, changed={("_PORT._tcp.mx", "TLSA"): "3 1 1 self"},
        report=("tlsa", "dnssec-invalid")),
    Row("suppressed", "dane-2: records that somebody has left out", WAITS, UNKNOWN, at=MITM, tlsa=FITS, gone={("_PORT._tcp.mx", "TLSA")},
        report=("tlsa", "dnssec-invalid")),
    Row("late", "dane-2: TLSA, its signature is over", WAITS, UNKNOWN, tlsa=FITS, late={("_PORT._tcp.mx", "TLSA")}, report=("tlsa", "dnssec-invalid")),
    Row("late-mx", "dane-2: MX", WAITS, UNKNOWN, tlsa=FITS, late={("", "MX")}),
    Row("late-a", "dane-2: A", WAITS, UNKNOWN, tlsa=FITS, late={("mx", "A")}),
    Row("moved", "dane-2: A under the old signature", WAITS, UNKNOWN, tlsa=FITS, changed={("mx", "A"): MITM}),
    Row("over", "dane-2: a zone whose signatures are over", WAITS, UNKNOWN, tlsa=FITS, below="expired"),
    Row("naked", "dane-2: a zone without the signatures that its parent vouches for", WAITS, UNKNOWN, at=MITM, below="naked"),
    Row("down", "dane-2: SERVFAIL", WAITS, "SERVFAIL", below="down"),
    Row("down-tlsa", "dane-2: SERVFAIL for TLSA alone", WAITS, "did not say whether", at=MITM, report=("tlsa", "dnssec-invalid"), enhanced="4.4.3"),
    Row("late-next", "dane-2: the next host is known", DELIVERED, r" dane 3 1 1 verified$", tlsa=FITS, late={("_PORT._tcp.mx", "TLSA")},
        names=[("", "MX 20 second.late-next.example."), ("second", "A " + GOOD), ("_PORT._tcp.second", "TLSA 3 1 1 good")]),
    # ---- middle boxes ----
    Row("stripped", "dane-3: STARTTLS stripped", WAITS, "STARTTLS", at=STRIP, tlsa=FITS, report=("tlsa", "starttls-not-supported"), enhanced="4.7.5"),
    Row("refused", "dane-3: STARTTLS refused", WAITS, "local policy", at=REFUSE, tlsa=FITS, report=("tlsa", "starttls-not-supported")),
    Row("denied", "dane-3: refused before anybody has proved anything", WAITS, "nobody from there", at=DENY, tlsa=FITS),
    Row("sts-denied", "sts-5", WAITS, "nobody from there", at=DENY, sts=ENFORCE, named=True),
    Row("denied-plain", "5321: its word is as good as any", BOUNCED, "nobody from there", at=DENY, enhanced="5.7.1"),
    Row("stripped-plain", "7435: nobody asked for better", DELIVERED, CLEAR, at=STRIP, report=("no-policy-found", "starttls-not-supported")),
    Row("sts-stripped", "sts-5", WAITS, "STARTTLS", at=STRIP, sts=ENFORCE, named=True, report=("sts", "starttls-not-supported"), enhanced="4.7.5"),
    Row("sts-refused", "sts-5", WAITS, "local policy", at=REFUSE, sts=ENFORCE, named=True, report=("sts", "starttls-not-supported")),
    Row("sts-impostor", "sts-4: self-signed", WAITS, "TLS failed", at=MITM, sts=ENFORCE, report=("sts", "certificate-not-trusted")),
    Row("testing-stripped", "sts-5: delivered, and reported", DELIVERED, CLEAR, at=STRIP, sts={"mode": "testing"}, report=("sts", "starttls-not-supported")),
    Row("testing-impostor", "sts-5: delivered, and reported", DELIVERED, " sts-testing unverified", at=MITM, sts={"mode": "testing"},
        report=("sts", "certificate-not-trusted")),
    Row("helo", "dane-3: who is made to know no EHLO knows no TLS", WAITS, "what", at=OLDEST, tlsa=FITS, report=("tlsa", "starttls-not-supported")),
    Row("helo-plain", "7435", DELIVERED, CLEAR, at=OLDEST, report=("no-policy-found", "starttls-not-supported")),
    Row("injected", "3207-8: what stands behind the 220 was never said", DELIVERED, DANE, at=INJECT, tlsa=FITS, report=("tlsa", "")),
    Row("require-injected", "3207-8, 8689-2: nor was REQUIRETLS", BOUNCED, "does not offer REQUIRETLS", at=INJECT, tlsa=FITS, mail=["REQUIRETLS"],
        report=("tlsa", ""), enhanced="5.7.30"),
    # ---- MTA-STS (RFC 8461) ----
    Row("sts", "sts-2, sts-4, sts-11", DELIVERED, r" sts mx\.sts\.example verified$", sts=ENFORCE, named=True, report=("sts", "")),
    Row("sts-sni", "sts-11: SNI is the host's name", DELIVERED, r" sts mx\.sts-sni\.example verified$", at=SNI, sts=ENFORCE, report=("sts", "")),
    Row("sts-no-mx", "sts-4: without MX the domain is the host", DELIVERED, r" sts sts-no-mx\.example verified$", mx=False, names=[("", "A " + DOMAIN)],
        sts={"mode": "enforce", "mx": ["sts-no-mx.example"]}, report=("sts", "")),
    Row("sts-case", "sts-4: names are the same in capitals", DELIVERED, r" sts mx\.sts-case\.example verified$", named=True,
        sts={"mode": "enforce", "mx": ["MX.Sts-Case.EXAMPLE"]}, rcpt="b@STS-Case.Example", report=("sts", "")),
    Row("sts-name", "sts-4", WAITS, "another name", sts=ENFORCE, report=("sts", "certificate-host-mismatch"), enhanced="4.7.5"),
    Row("sts-old", "sts-4: expired", WAITS, "expired", at=OLD, sts=ENFORCE, report=("sts", "certificate-expired")),
    Row("sts-weak", "sts-11: TLS 1.2 is the least", WAITS, "TLS failed", at=WEAK, sts=ENFORCE, report=("sts", "validation-failure")),
    Row("sts-unlisted", "sts-4: no pattern", WAITS, "does not name this mail exchanger", sts={"mode": "enforce", "mx": ["else.example"]}, named=True,
        report=("sts", "validation-failure")),
    Row("sts-two-labels", "sts-4: an asterisk is one label", WAITS, "does not name this", sts={"mode": "enforce", "mx": ["*.example"]}, named=True,
        report=("sts", "validation-failure")),
    Row("sts-next", "sts-5: the next one", DELIVERED, r" sts second\.sts-next\.example verified$",
        sts={"mode": "enforce", "mx": ["second.sts-next.example"]}, names=[("", "MX 20 second.sts-next.example."), ("second", "A " + SNI)]),
    Row("sts-none", "sts-5: mode none", DELIVERED, CLEAR, at=BARE, sts={"mode": "none", "mx": []}, report=("no-policy-found", "starttls-not-supported")),
    Row("sts-alias", "sts-1, 8461 8.2: record and policy host are aliases", DELIVERED, r" sts mx\.sts-alias\.example verified$", sts=ENFORCE, named=True,
        web="alias", report=("sts", "")),
    Row("sts-parts", "sts-1: strings are joined", WAITS, "another name", sts=ENFORCE, web="parts", report=("sts", "certificate-host-mismatch")),
    Row("sts-two", "sts-1: two records are none", DELIVERED, OPPORTUNISTIC, sts=ENFORCE, web="two", report=("no-policy-found", "")),
    Row("sts-no-id", "sts-1: a record without an id is none", DELIVERED, OPPORTUNISTIC, sts=ENFORCE, web="no id", report=("no-policy-found", "")),
    Row("sts-moved", "sts-2: no redirects", DELIVERED, OPPORTUNISTIC, sts=ENFORCE,
        web={"status": "301 Moved", "more": "Location: https://mta-sts.sts.example/\r\n"}, report=("sts", "sts-policy-fetch-error")),
    Row("sts-html", "sts-2: text/plain", DELIVERED, OPPORTUNISTIC, sts=ENFORCE, web={"kind": "text/html"}, report=("sts", "sts-policy-fetch-error")),
    Row("sts-rubbish", "sts-3", DELIVERED, OPPORTUNISTIC, sts=ENFORCE, web={"body": "version: STSv1\r\nmode: enforce\r\n"}, report=("sts", "sts-policy-invalid")),
    Row("sts-untrusted", "sts-2: the policy host's certificate", DELIVERED, OPPORTUNISTIC, sts=ENFORCE, web="untrusted", report=("sts", "sts-webpki-invalid")),
    Row("sub", "sts-10: the parent's policy is not the subdomain's", DELIVERED, OPPORTUNISTIC, below="sts-name", report=("no-policy-found", "")),
    Row("sts-dane", "sts-9: DANE fails", WAITS, "no TLSA record fits", sts=ENFORCE, named=True, tlsa=WRONG, report=("tlsa", "tlsa-invalid")),
    Row("sts-dane-unknown", "sts-9: DANE is unknown", WAITS, UNKNOWN, sts=ENFORCE, named=True, tlsa=FITS, gone={("_PORT._tcp.mx", "TLSA")},
        report=("tlsa", "dnssec-invalid")),
    Row("sts-dane-good", "sts-9: DANE comes first", DELIVERED, DANE, sts=ENFORCE, tlsa=FITS, report=("tlsa", "")),
    # ---- REQUIRETLS and TLS-Required (RFC 8689) ----
    Row("require", "8689-2: DANE", DELIVERED, DANE, at=KEEN, tlsa=FITS, mail=["REQUIRETLS"], report=("tlsa", "")),
    Row("require-sts", "8689-2: MTA-STS names the host", DELIVERED, r" sts mx\.require-sts\.plain\.example verified$", at=KEEN, sts=ENFORCE, named=True,
        mail=["REQUIRETLS"], below="plain", report=("sts", "")),
    Row("require-signed", "8689-2: DNSSEC names the host", DELIVERED, r" requiretls mx\.require-signed\.example verified$", at=KEEN, named=True,
        mail=["REQUIRETLS"]),
    Row("require-lacking", "8689-3: a hop without it", BOUNCED, "REQUIRETLS", tlsa=FITS, mail=["REQUIRETLS", "RET=FULL"], report=("tlsa", ""), enhanced="5.7.30"),
    Row("require-stripped", "8689-3: no TLS", BOUNCED, "STARTTLS", at=STRIP, mail=["REQUIRETLS"], enhanced="5.7.10"),
    Row("require-impostor", "8689-3: a certificate of nobody's", BOUNCED, "TLS failed", at=MITM, mail=["REQUIRETLS"], enhanced="5.7.30"),
    Row("require-insecure", "8689-2: nobody vouches for the name", BOUNCED, "vouches", at=KEEN, named=True, below="plain", mail=["REQUIRETLS"],
        enhanced="5.7.30"),
    Row("require-unknown", "8689-2: nobody knows whether a policy vouches for it", WAITS, "cannot be had just now", at=KEEN, sts=ENFORCE, named=True, below="plain",
        web={"status": "503 Not Now"}, mail=["REQUIRETLS"], enhanced="4.7.5"),
    Row("require-wrong", "8689-2, dane-3: DANE fails, and that may pass", WAITS, "no TLSA record fits", at=KEEN, tlsa=WRONG, mail=["REQUIRETLS"],
        report=("tlsa", "tlsa-invalid")),
    Row("relaxed-wrong", "8689-5: against DANE", DELIVERED, " tls-optional ", tlsa=WRONG, head="TLS-Required: No"),
    Row("relaxed-stripped", "8689-5: against MTA-STS", DELIVERED, CLEAR, at=STRIP, sts=ENFORCE, head="TLS-Required: No"),
    Row("relaxed-late", "8689-5: whatever TLSA is", DELIVERED, " tls-optional ", tlsa=FITS, late={("_PORT._tcp.mx", "TLSA")}, head="TLS-Required: No"),
    Row("relaxed-required", "8689-5: REQUIRETLS is stronger", BOUNCED, "STARTTLS", at=STRIP, mail=["REQUIRETLS"], head="TLS-Required: No", enhanced="5.7.10"),
    # ---- null MX (RFC 7505) ----
    Row("null", "7505-1, 5321-75", BOUNCED, "takes no mail", mx=False, names=[("", "MX 0 ."), ("", "A " + GOOD)], enhanced="5.1.10"),
    Row("null-late", "7505-1, dane-2: a null MX that is not proven", WAITS, UNKNOWN, mx=False, names=[("", "MX 0 ."), ("", "A " + GOOD)], late={("", "MX")}),
    Row("null-not-alone", "7505-2", DELIVERED, OPPORTUNISTIC, names=[("", "MX 0 .")], report=("no-policy-found", "")),
]


class Network:
    """All of it, and what has become of each row's mail."""

    def __init__(self, folder):
        self.folder, self.made, self.server = folder, [], None

    def open(self):
        self.port = free_port()
        self.certificates = Certificates(self.folder / "certificates")
        self.issue()
        self.sink = self.keep(Hop())
        self.open_doors()
        self.web = self.keep(self.policies())
        self.names = self.keep(Names(self.folder / "names"))
        self.fill()
        self.names.start()
        self.postfix.ready()
        self.serve()

    def keep(self, one):
        self.made.append(one)
        return one

    def issue(self):
        c = self.certificates
        self.good = c.issue("good", ["mx." + r.domain for r in ROWS if r.named] + ["mx.sender.example"])
        self.old = c.issue("old", ["mx.sts-old.example", "mx.ta-old.example"], expired=9)
        self.own = c.issue("self", ["mx." + r.domain for r in ROWS if r.at == MITM], own=True)
        self.domain = c.issue("domain", ["ta-domain.example", "sts-no-mx.example"])
        self.other = c.issue("other", ["other.example"])
        self.by_sni = c.issue("by-sni", ["mx.sni.example", "real.alias.example", "mx.sts-sni.example", "second.sts-next.example"])
        self.weak = c.issue("weak", ["mx.sts-weak.example"])

    @staticmethod
    def context(pem):
        one = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        one.load_cert_chain(pem)
        return one

    def open_doors(self):
        names = self.folder / "sni"
        names.write_text("".join(f"{n} {self.by_sni}\n" for n in ("mx.sni.example", "real.alias.example", "mx.sts-sni.example", "second.sts-next.example")))
        run("postmap", "-F", f"hash:{names}")
        self.postfix = self.keep(Postfix(self.port, self.sink.port, {
            GOOD: [f"smtpd_tls_chain_files={self.good}"], OLD: [f"smtpd_tls_chain_files={self.old}"], BARE: ["smtpd_tls_security_level=none"],
            DOMAIN: [f"smtpd_tls_chain_files={self.domain}"],
            SNI: [f"smtpd_tls_chain_files={self.other}", f"tls_server_sni_maps=hash:{names}"]}))
        self.postfix.start()
        self.boxes = {at: self.keep(Box(how, at, self.port, (GOOD, self.port))) for at, how in (
            (STRIP, "strip"), (REFUSE, "refuse"), (INJECT, "inject"), (DENY, "deny"))}
        keen = ["PIPELINING", "SIZE 50000000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "REQUIRETLS"]
        weak = self.context(self.weak)
        weak.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # that is the point of it
            weak.minimum_version, weak.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
        self.hops = {MITM: Hop(starttls=self.context(self.own), address=MITM, port=self.port),
                     KEEN: Hop(starttls=self.context(self.good), address=KEEN, port=self.port, offers=keen),
                     OLDEST: Hop({"EHLO": "502 5.5.1 what?"}, starttls=self.context(self.good), address=OLDEST, port=self.port),
                     WEAK: Hop(starttls=weak, address=WEAK, port=self.port)}
        self.made += self.hops.values()

    def policies(self):
        hosts = ["mta-sts." + r.domain for r in ROWS if r.sts and r.web != "untrusted"]
        good, web = self.context(self.certificates.issue("web", hosts)), Web(self.context(self.other), "")

        def by_sni(session, name, context):     # who does not say whom he wants gets somebody else's
            if name in hosts:
                session.context = good
        web.context.sni_callback = by_sni
        for r in ROWS:
            if r.sts:
                web.answers["mta-sts." + r.domain] = dict({"body": policy(**{"mx": ["mx." + r.domain], **r.sts})},
                                                          **(r.web if isinstance(r.web, dict) else {}))
        return web

    # ---- the names ----

    def record(self, text):
        """TLSA records are written as what they fit."""
        words = text.split(" ")
        if words[0] == "TLSA":
            return "TLSA " + self.tlsa(" ".join(words[1:]))
        return text

    def tlsa(self, text):
        words = text.split(" ")
        return self.certificates.tlsa(int(words[0]), int(words[1]), int(words[2]), words[3], words[4:] == ["spoilt"])

    def owner(self, row, name):
        name = name.replace("_PORT", f"_{self.port}")
        return name[:-1] if name.endswith(".") else f"{name}.{row.domain}" if name else row.domain

    def fill(self):
        n = self.names
        n.zone("three.example", nsec3=True)
        n.zone("plain.example", signed=False, ds=False)
        n.zone("expired.example", expired=True)
        n.zone("naked.example", signed=False)
        n.zone("down.example", loaded=False)
        n.zone("_tcp.mx.down-tlsa.example", loaded=False)
        n.zone("_tcp.mx.tlsa-insecure.example", signed=False, ds=False)
        for name, record in (("good.plain.example", "A " + GOOD), ("sender.example", "MX 10 mx.sender.example."), ("mx.sender.example", "A " + KEEN)):
            n.add(name, record)
        n.add("tlsa.plain.example", self.record("TLSA 3 1 1 good spoilt"))
        # A report is wanted where ordinary mail cannot go.
        n.add("_smtp._tls.wrong.example", "CNAME reports.provider.example.")
        n.add("reports.provider.example", 'TXT "v=TLSRPTv1; rua=mailto:tls@wrong.example"')
        for row in ROWS:
            self.fill_row(row)

    def fill_row(self, row):
        n = self.names
        if row.mx:
            n.add(row.domain, f"MX 10 mx.{row.domain}.")
        if row.mx and row.at:
            n.add(f"mx.{row.domain}", f"A {row.at}")
        for one in row.tlsa:
            n.add(f"_{self.port}._tcp.mx.{row.domain}", "TLSA " + self.tlsa(one))
        for name, record in row.names:
            n.add(self.owner(row, name), self.record(record))
        if row.sts:
            self.fill_policy(row)
        zone = n.zone_of(row.domain)
        zone.late |= {(self.owner(row, name), kind) for name, kind in row.late}
        zone.gone |= {(self.owner(row, name), kind) for name, kind in row.gone}
        zone.changed.update({(self.owner(row, name), kind): self.tlsa(to) if kind == "TLSA" else to for (name, kind), to in row.changed.items()})

    def fill_policy(self, row):
        add, at = self.names.add, f"_mta-sts.{row.domain}"
        if row.web == "alias":
            add(at, "CNAME record.provider.example.")
            add("record.provider.example", 'TXT "v=STSv1; id=20261122;"')
            add(f"mta-sts.{row.domain}", "CNAME web.provider.example.")
            add("web.provider.example", "A 127.0.0.1")
            return
        for text in {"two": ['"v=STSv1; id=1;"', '"v=STSv1; id=2;"'], "no id": ['"v=STSv1;"'], "parts": ['"v=STS" "v1; i" "d=7"']}.get(
                row.web if isinstance(row.web, str) else "", ['"v=STSv1; id=1;"']):
            add(at, "TXT " + text)
        add(f"mta-sts.{row.domain}", "A 127.0.0.1")

    # ---- the mail ----

    def serve(self):
        place = self.folder / "server"
        place.mkdir()
        self.server = Server(place, f"""relay = "mx"
relay-port = {self.port}
dns-server = "{self.names.server}"
dns-trust-anchor = "{self.names.anchor()}"
relay-ca-file = "{self.certificates.ca_file}"
mta-sts-port = {self.web.port}
retry-first = "10 min"
tls-report-contact = "tls@sender.example"
""")
        yesterday(self.server.state, ["wrong.example"])
        self.server.start()
        self.server.add_key("alice", "@sender.example")

    def submit(self):
        with client(self.server) as smtp:
            for row in ROWS:
                head = f"From: alice@sender.example\r\nTo: {row.rcpt}\r\nSubject: {row.name}\r\n" + (row.head + "\r\n" if row.head else "")
                assert smtp.mail("alice@sender.example", row.mail)[0] == 250
                assert smtp.rcpt(row.rcpt)[0] == 250
                assert smtp.data(head.encode() + b"\r\nthe secret of " + row.name.encode() + b"\r\n")[0] == 250

    def outcomes(self):
        """{recipient: the first event about it}; it may take a while."""
        def all_of_them():
            found = {}
            for event in self.server.events():
                if event.get("event") in (DELIVERED, WAITS, BOUNCED) and event.get("to") not in found:
                    found[event["to"]] = event
            return found if all(r.rcpt in found for r in ROWS) else None
        end = time.monotonic() + 30
        while time.monotonic() < end:
            found = all_of_them()
            if found is not None:
                return found
            time.sleep(0.1)
        lost = [r for r in ROWS if not self.server.events(to=r.rcpt)]
        raise AssertionError(f"no word about {lost}")

    def arrived(self, row):
        """What was handed over of a row's mail: (address, content)."""
        places = [("sink", self.sink)] + list(self.hops.items())
        return [(at, mail[2]) for at, hop in places for mail in list(hop.mails) if any(row.rcpt in r for r in mail[1])]

    def close(self):
        if self.server is not None:
            self.server.stop()
            said = self.server.log.read_text(errors="replace")
            assert "Sanitizer" not in said and "Assertion" not in said, said
        for one in self.made:
            one.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    one = Network(tmp_path_factory.mktemp("network"))
    try:
        one.open()
        one.submit()
        one.outcome = one.outcomes()
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_row(network, row):
    """Each row names what it proves: dane-1 to dane-10, sts-1 to sts-5, sts-9 to sts-11, 8689-2, 8689-3, 8689-5, 7505-1, 7505-2."""
    event = network.outcome[row.rcpt]
    said = event["tls"] if row.want == DELIVERED else event["text"]
    assert event["event"] == row.want and re.search(row.words, said), event
    if row.enhanced:
        assert event["status"] == row.enhanced, event
    if row.want == DELIVERED:
        (at, content), = eventually(lambda: network.arrived(row), "the mail")
        if at == "sink":
            # What Postfix itself saw.
            used = b"(using TLSv1" in content.replace(b"\r\n", b" ").replace(b"\t", b"")
            assert used == (not event["tls"].startswith("none")), content
    else:
        assert not network.arrived(row)


def test_bounces_say_why(network):                                      # 8689-4
    """A message that required TLS, and RET=FULL: its bounce requires TLS too, and has no body."""
    hop, bounced = network.hops[KEEN], [r for r in ROWS if r.want == BOUNCED]
    mails = eventually(lambda: [m for m in hop.mails if "alice@" in m[1][0]][:len(bounced)] if len(
        [m for m in hop.mails if "alice@" in m[1][0]]) >= len(bounced) else None, "the bounces")
    found = {}
    for mail in mails:
        report = Report(mail)
        found[report.people[0]["Final-Recipient"].split(";")[1].strip()] = (mail, report)
    assert set(found) == {r.rcpt for r in bounced}
    for row in bounced:
        mail, report = found[row.rcpt]
        assert report.people[0]["Status"] == row.enhanced and report.people[0]["Action"] == "failed"
        tagged = "REQUIRETLS" in row.mail
        assert mail[0].endswith(" REQUIRETLS") == tagged and mail[0].startswith("MAIL FROM:<>"), mail[0]
        if tagged:
            assert b"the secret of" not in mail[2]


def test_a_report_goes_where_mail_cannot(network):                       # rpt-1, rpt-4, rpt-5
    """The receiver's TLSA records fit nobody: his mail waits, the report that tells him so arrives."""
    def of_wrong():
        return [m for m in network.sink.mails if "RCPT TO:<tls@wrong.example>" in m[1][0]]
    (_, _, octets), = eventually(of_wrong, "the report")
    assert b"report-type=\"tlsrpt\"" in octets and b"TLS-Required: No\r\n" in octets and b"TLS-Report-Domain: wrong.example\r\n" in octets
    assert network.outcome["b@wrong.example"]["event"] == WAITS


def test_what_the_reports_will_say(network):                            # rpt-2, rpt-3
    network.server.stop()
    found = counted_in(network.server.state / "relay" / "tls-reports")
    bases = {"no-mx": "no-mx.example", "alias": "real.alias.example", "wild-mx": "mx.wilds.example", "moved-tree": "mx.new-name.example",
             "domain-alias": "mx.real.domain-alias.example"}
    for row in ROWS:
        if row.report is None:
            continue
        kind, result = row.report
        key = (kind, bases.get(row.name, "mx." + row.domain) if kind == "tlsa" else row.domain)
        assert key in found, (row, key)
        successful, failed, _, failures = found.pop(key)
        assert [f[0] for f in failures] == ([result] if result else []), (row, failures)
        assert (successful, failed) == ((0, 1) if result else (1, 0)), row
    # Besides: rows with two hosts, and the bounces' own way to their sender.
    others = {k[1] for k in found} - {n + r.domain for r in ROWS if r.report is None for n in ("", "mx.", "second.")}
    assert others <= {"sender.example"}, found


def test_nothing_went_in_clear_against_a_policy(network):
    """What a box has overheard: no address and no line of a mail whose receiver, or sender, has asked for TLS."""
    for row in ROWS:
        if row.at in network.boxes and row.want != DELIVERED:
            overheard = network.boxes[row.at].lines
            assert "the secret of " + row.name not in overheard and not any(f"<{row.rcpt}>" in line for line in overheard), row
    # They would have heard it: what went in clear because nobody forbade it.
    assert "the secret of stripped-plain" in network.boxes[STRIP].lines
    assert "STARTTLS" in network.boxes[REFUSE].lines and "STARTTLS" not in network.boxes[STRIP].lines
