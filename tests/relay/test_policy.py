"""5_relay and the receiver's policies: DANE (RFC 7672) and REQUIRETLS (RFC 8689) on the wire. Each refusal is checked from both
sides: what 4_spool is told, and that no octet of the message reached the hop."""
import hashlib
import ssl
import subprocess

import pytest

from peers import A, CNAME, DELIVERED, LATER, MX, NEVER, STARTTLS, Made, Relay, only
from signed import TLSA, SignedDns, Zone

RCPTS = ["b@signed.example"]
FLAG_REQUIRETLS, FLAG_TLS_OPTIONAL = 16, 32


@pytest.fixture(scope="session")
def context(authority):
    return authority.context("DNS:mx.signed.example")


def der(context_name, authority):
    pem = open("%s/%s.pem" % (authority.folder, context_name.replace(":", "_"))).read()
    return ssl.PEM_cert_to_DER_cert(pem)


def spki(certificate):
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"], input=certificate, capture_output=True, check=True)
    done = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=done.stdout, capture_output=True, check=True)
    return done.stdout


@pytest.fixture(scope="session")
def fits(authority, context):
    """3 1 1 of what mx.signed.example has."""
    return (3, 1, 1, hashlib.sha256(spki(der("DNS:mx.signed.example", authority))).digest())


MISFIT = (3, 1, 1, b"x" * 32)


class World(Made):
    def __init__(self, tmp_path, authority):
        super().__init__()
        self.folder, self.authority, self.zone = tmp_path, authority, Zone("signed.example")

    def dns(self, port, tlsa=None, more=None, spoil=None):
        records = {("signed.example", MX): [(10, "mx.signed.example")], ("mx.signed.example", A): ["127.0.0.1"]}
        if tlsa is not None:
            records[("_%d._tcp.mx.signed.example" % port, TLSA)] = tlsa
        records.update(more or {})
        return self.keep(SignedDns(records, [self.zone], spoil))

    def relay(self, dns, port, **conf):
        full = {"relay": "mx", "relay-port": str(port), "dns-server": dns.server, "dns-trust-anchor": self.zone.anchor(self.folder),
                "relay-ca-file": self.authority.ca}
        full.update({k.replace("_", "-"): v for k, v in conf.items()})
        return self.keep(Relay({k: v for k, v in full.items() if v is not None}))


@pytest.fixture
def world(tmp_path, authority):
    w = World(tmp_path, authority)
    yield w
    w.close()


def deliver(world, hop, dns, destination="signed.example", conf=None, **more):
    relay = world.relay(dns, hop.port, **(conf or {}))
    return relay, only(relay.deliver(["b@" + destination], destination=destination, **more))


def untouched(hop):
    """Nothing of the message, not even its envelope."""
    assert not hop.mails and not any(line.startswith(("MAIL", "RCPT", "DATA")) for s in hop.sessions for line in s.lines)


# ---- DANE ----

def test_dane(world, context, fits):                                    # dane-3, dane-9
    names = []
    context.sni_callback = lambda s, name, c: names.append(name)
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [fits]))
    context.sni_callback = None
    assert r.cls == DELIVERED and r.tls.endswith(" dane 3 1 1 verified"), r
    assert names == ["mx.signed.example"]


def test_dane_misfit_waits(world, context, fits):                       # dane-3: never delivered, not in clear either
    hop = world.hop(starttls=context)
    relay, r = deliver(world, hop, world.dns(hop.port, [MISFIT]))
    assert (r.cls, r.enhanced, r.stage) == (LATER, "4.7.5", STARTTLS) and "no TLSA record fits" in r.text, r
    untouched(hop)
    assert len(hop.sessions) == 1 and "result=tlsa-invalid" in relay.said()


def test_dane_without_starttls_waits(world, fits):                      # dane-3: a middle box has stripped it
    hop = world.hop()
    relay, r = deliver(world, hop, world.dns(hop.port, [fits]))
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and "STARTTLS" in r.text, r
    untouched(hop)


def test_dane_with_starttls_refused_waits(world, context, fits):
    hop = world.hop({"STARTTLS": "454 4.7.0 not now"}, starttls=context)
    relay, r = deliver(world, hop, world.dns(hop.port, [fits]))
    assert (r.cls, r.code, r.tls) == (LATER, 454, "none (policy dane)"), r
    untouched(hop)
    assert "result=starttls-not-supported" in relay.said()


def test_starttls_refused_for_good_waits(world, context, fits):         # 0289: whoever stands on the way can say so
    hop = world.hop({"STARTTLS": "554 5.7.0 no"}, starttls=context)
    relay, r = deliver(world, hop, world.dns(hop.port, [fits]))
    assert (r.cls, r.code, r.enhanced, r.stage) == (LATER, 554, "4.7.0", STARTTLS), r
    untouched(hop)


@pytest.mark.parametrize("verb, said", [("GREETING", "554 5.7.1 not you"), ("GREETING", "521 5.3.2 no mail here"),
                                        ("EHLO", "502 5.5.1 what?"), ("EHLO", "550 5.7.1 not you")])
def test_refused_before_tls_waits(world, context, fits, verb, said):    # 0289, 0360: nobody has proved anything yet
    hop = world.hop({verb: said}, starttls=context)
    relay, r = deliver(world, hop, world.dns(hop.port, [fits]))
    assert (r.cls, r.code, r.enhanced) == (LATER, int(said[:3]), "4" + said[5:9]), r
    untouched(hop)
    assert ("result=starttls-not-supported" in relay.said()) == said.startswith("502")


def test_refused_before_tls_goes_to_the_next_host(world, context, fits):        # 0360
    first = world.hop({"GREETING": "554 5.7.1 not you"}, starttls=context, address="127.0.0.2")
    second = world.hop(starttls=context, address="127.0.0.3", port=first.port)
    dns = world.dns(first.port, [fits], more={
        ("signed.example", MX): [(10, "mx.signed.example"), (20, "second.signed.example")], ("mx.signed.example", A): ["127.0.0.2"],
        ("second.signed.example", A): ["127.0.0.3"], ("_%d._tcp.second.signed.example" % first.port, TLSA): [fits]})
    _, r = deliver(world, second, dns)
    assert r.cls == DELIVERED and len(second.mails) == 1, r


def test_refused_without_a_policy_is_for_good(world, context):          # 0360: nobody asked for more than this word
    hop = world.hop({"GREETING": "554 5.7.1 not you"}, starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port))
    assert (r.cls, r.code) == (NEVER, 554), r


def test_dane_with_broken_tls_waits(world, fits):
    hop = world.hop(starttls="broken")
    _, r = deliver(world, hop, world.dns(hop.port, [fits]))
    assert (r.cls, r.enhanced) == (LATER, "4.7.5") and len(hop.sessions) == 1, r
    untouched(hop)


def test_dane_unusable_means_tls_without_proof(world, context):         # dane-3, dane-7
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [(1, 1, 1, b"x" * 32), (3, 1, 1, b"short")]))
    assert r.cls == DELIVERED and " dane-unusable " in r.tls, r


def test_dane_unusable_without_starttls_waits(world):                   # dane-3
    hop = world.hop()
    _, r = deliver(world, hop, world.dns(hop.port, [(1, 1, 1, b"x" * 32)]))
    assert r.cls == LATER and r.enhanced == "4.7.5", r
    untouched(hop)


def test_unreadable_certificate_in_tlsa(world, context):                # 7671 10.1.1: usable by its form only
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [(3, 0, 0, b"nothing of the kind")]))
    assert r.cls == DELIVERED and " dane-unusable " in r.tls, r


def test_no_tlsa_is_opportunistic(world):                               # dane-3
    hop = world.hop()
    _, r = deliver(world, hop, world.dns(hop.port))
    assert r.cls == DELIVERED and r.tls == "none", r


@pytest.mark.parametrize("spoil", ["bogus", "expired", "unsigned"])
def test_tlsa_that_does_not_validate_waits(world, context, fits, spoil):        # dane-2
    hop = world.hop(starttls=context)
    port = hop.port
    relay, r = deliver(world, hop, world.dns(port, [fits], spoil={("_%d._tcp.mx.signed.example" % port, TLSA): spoil}))
    assert r.cls == LATER and "DNSSEC" in r.text, r
    assert not hop.sessions and "result=dnssec-invalid" in relay.said()


def test_tlsa_servfail_waits(world, context):                           # dane-2
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, more={("_%d._tcp.mx.signed.example" % hop.port, TLSA): "SERVFAIL"}))
    assert (r.cls, r.enhanced) == (LATER, "4.4.3") and "TLSA" in r.text, r
    assert not hop.sessions


def test_tlsa_without_an_answer_waits(world, context):                  # dane-2: a time-out is no answer
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, more={("_%d._tcp.mx.signed.example" % hop.port, TLSA): "SILENCE"}))
    assert (r.cls, r.enhanced) == (LATER, "4.4.3") and "TLSA" in r.text, r
    assert not hop.sessions


@pytest.mark.parametrize("what", [("signed.example", MX), ("mx.signed.example", A)])
def test_bogus_mx_or_address_waits(world, context, fits, what):         # dane-2
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [fits], spoil={what: "bogus"}))
    assert r.cls == LATER and "DNSSEC" in r.text, r
    assert not hop.sessions


def test_the_next_host_is_tried(world, context, fits):                  # dane-5: in the order of their preference
    hop = world.hop(starttls=context)
    dns = world.dns(hop.port, [MISFIT], more={
        ("signed.example", MX): [(10, "mx.signed.example"), (20, "second.signed.example")],
        ("second.signed.example", A): ["127.0.0.1"], ("_%d._tcp.second.signed.example" % hop.port, TLSA): [fits]})
    _, r = deliver(world, hop, dns)
    assert r.cls == DELIVERED and r.host.startswith("second.signed.example ") and len(hop.sessions) == 2, r


class Boaster(SignedDns):
    """Says of every answer that it is authentic (AD, RFC 4035 3.2.3)."""

    def answer(self, query):
        said = super().answer(query)
        return said and said[:3] + bytes([said[3] | 0x20]) + said[4:]


def test_nobody_s_word_is_taken_for_dnssec(world, context):             # dane-1: without an anchor AD is but a bit
    hop = world.hop(starttls=context)
    dns = world.keep(Boaster({("signed.example", MX): [(10, "mx.signed.example")], ("mx.signed.example", A): ["127.0.0.1"],
                              ("_%d._tcp.mx.signed.example" % hop.port, TLSA): [MISFIT]}))
    _, r = deliver(world, hop, dns, conf={"dns_trust_anchor": None})
    assert r.cls == DELIVERED and " opportunistic " in r.tls, r
    assert not any(kind == TLSA for _, kind in dns.asked)


def test_an_anchor_is_not_impressed_by_it_either(world, context, fits):         # dane-1, dane-2
    """Unsigned answers out of a zone that the anchor vouches for."""
    hop = world.hop(starttls=context)
    dns = world.keep(Boaster({("signed.example", MX): [(10, "mx.signed.example")], ("mx.signed.example", A): ["127.0.0.1"],
                              ("_%d._tcp.mx.signed.example" % hop.port, TLSA): [fits]}))
    _, r = deliver(world, hop, dns)
    assert r.cls == LATER and "DNSSEC" in r.text and not hop.sessions, r


def test_insecure_mx_leads_to_no_dane(world, context):                  # dane-1
    hop = world.hop(starttls=context)
    dns = world.dns(hop.port, [MISFIT], more={("plain.example", MX): [(10, "mx.signed.example")]})
    _, r = deliver(world, hop, dns, destination="plain.example")
    assert r.cls == DELIVERED and " opportunistic " in r.tls, r
    assert ("_%d._tcp.mx.signed.example" % hop.port, TLSA) not in dns.asked


def test_insecure_address_leads_to_no_dane(world, context):             # dane-4: TLSA is not even asked for
    hop = world.hop(starttls=context)
    dns = world.dns(hop.port, more={("signed.example", MX): [(10, "mx.plain.example")], ("mx.plain.example", A): ["127.0.0.1"],
                                    ("_%d._tcp.mx.plain.example" % hop.port, TLSA): "SERVFAIL"})
    _, r = deliver(world, hop, dns)
    assert r.cls == DELIVERED and " opportunistic " in r.tls, r
    assert not any(kind == TLSA for _, kind in dns.asked)


def test_alias_all_signed(world, context, fits):                        # dane-4: the name at its end first, then the alias
    hop = world.hop(starttls=context)
    alias = {("signed.example", MX): [(10, "alias.signed.example")], ("alias.signed.example", CNAME): ["mx.signed.example"]}
    _, r = deliver(world, hop, world.dns(hop.port, [fits], more=alias))
    assert r.cls == DELIVERED and r.tls.endswith(" dane 3 1 1 verified"), r
    alias["_%d._tcp.alias.signed.example" % hop.port, TLSA] = [MISFIT]
    _, r = deliver(world, hop, world.dns(hop.port, [fits], more=alias))
    assert r.cls == DELIVERED, r
    _, r = deliver(world, hop, world.dns(hop.port, None, more=alias))
    assert r.cls == LATER and "no TLSA record fits" in r.text, r


def test_alias_out_of_the_signed_zone(world, context, fits):            # 7672 2.2.2: the alias itself is validated
    hop = world.hop(starttls=context)
    alias = {("signed.example", MX): [(10, "alias.signed.example")], ("alias.signed.example", CNAME): ["mx.plain.example"],
             ("mx.plain.example", A): ["127.0.0.1"], ("_%d._tcp.alias.signed.example" % hop.port, TLSA): [MISFIT]}
    _, r = deliver(world, hop, world.dns(hop.port, more=alias))
    assert r.cls == LATER and "no TLSA record fits" in r.text, r
    alias["_%d._tcp.alias.signed.example" % hop.port, TLSA] = [fits]
    _, r = deliver(world, hop, world.dns(hop.port, more=alias))
    assert r.cls == DELIVERED and r.tls.endswith(" dane 3 1 1 verified"), r


def test_dane_ta(world, authority, fits):                               # dane-6
    context = authority.context("DNS:mx.signed.example")
    pem = "%s/DNS_mx.signed.example.pem" % authority.folder
    with open(pem + ".chain", "w") as f:
        f.write(open(pem).read() + open(authority.ca).read())
    context.load_cert_chain(pem + ".chain", pem.replace(".pem", ".key"))
    hop = world.hop(starttls=context)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(authority.ca).read())).digest()
    _, r = deliver(world, hop, world.dns(hop.port, [(2, 0, 1, digest)]))
    assert r.cls == DELIVERED and r.tls.endswith(" dane 2 0 1 mx.signed.example verified"), r


def test_smart_host_with_tlsa(world, context, fits):                    # 7672 2.2.2: a host that needs no MX
    for tlsa, good in ([fits], True), ([MISFIT], False):
        hop = world.hop(starttls=context)
        _, r = deliver(world, hop, world.dns(hop.port, tlsa), conf={"relay": "smtp://mx.signed.example:%d" % hop.port})
        assert (r.cls == DELIVERED) == good, r
        assert good or "no TLSA record fits" in r.text


# ---- REQUIRETLS ----

OFFERS = ["PIPELINING", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "REQUIRETLS"]


def test_requiretls_with_dane(world, context, fits):                    # 8689-2
    hop = world.hop(starttls=context, offers=OFFERS)
    _, r = deliver(world, hop, world.dns(hop.port, [fits]), flags=FLAG_REQUIRETLS)
    assert r.cls == DELIVERED and hop.mails[0][0].endswith(" REQUIRETLS"), r


def test_requiretls_with_a_signed_mx_and_a_trusted_certificate(world, context):
    hop = world.hop(starttls=context, offers=OFFERS)
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS)
    assert r.cls == DELIVERED and r.tls.endswith(" requiretls mx.signed.example verified"), r


def test_requiretls_not_offered(world, context, fits):                  # 8689-3
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [fits]), flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30"), r
    untouched(hop)


def test_requiretls_offered_by_the_second_host(world, context, fits):   # 8689-3: the other hosts are tried
    first = world.hop(starttls=context, address="127.0.0.2")
    second = world.hop(starttls=context, offers=OFFERS, address="127.0.0.3", port=first.port)
    dns = world.dns(first.port, [fits], more={
        ("signed.example", MX): [(10, "mx.signed.example"), (20, "second.signed.example")], ("mx.signed.example", A): ["127.0.0.2"],
        ("second.signed.example", A): ["127.0.0.3"], ("_%d._tcp.second.signed.example" % first.port, TLSA): [fits]})
    _, r = deliver(world, second, dns, flags=FLAG_REQUIRETLS)
    assert r.cls == DELIVERED and len(second.mails) == 1, r
    untouched(first)


def test_requiretls_without_tls(world):                                 # 8689-3
    hop = world.hop(offers=OFFERS)
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.10"), r
    untouched(hop)


def test_requiretls_and_a_certificate_for_another_name(world, authority):
    hop = world.hop(starttls=authority.context("DNS:other.example"), offers=OFFERS)
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30") and "another name" in r.text, r
    untouched(hop)


def test_requiretls_and_an_unvouched_mx(world, context):                # 8689-2: the MX name must be secured
    hop = world.hop(starttls=context, offers=OFFERS)
    dns = world.dns(hop.port, more={("plain.example", MX): [(10, "mx.signed.example")]})
    _, r = deliver(world, hop, dns, destination="plain.example", flags=FLAG_REQUIRETLS)
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30") and not hop.sessions, r


def test_requiretls_bounce_goes_all_the_same(world, context):           # 8689-4
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS, sender="")
    assert r.cls == DELIVERED and "REQUIRETLS" not in hop.mails[0][0], r
    hop = world.hop(starttls=context, offers=OFFERS)
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS, sender="")
    assert r.cls == DELIVERED and hop.mails[0][0].endswith(" REQUIRETLS"), r


def test_requiretls_does_not_hold_others_up(world, context, fits):
    hop = world.hop(starttls=context)
    dns = world.dns(hop.port, [fits])
    relay = world.relay(dns, hop.port)
    tagged = relay.attempt(RCPTS, destination="signed.example", flags=FLAG_REQUIRETLS)
    plain = relay.attempt(RCPTS, destination="signed.example")
    assert only(relay.wait(tagged)).cls == NEVER and only(relay.wait(plain)).cls == DELIVERED


def test_requiretls_at_a_smart_host_without_it(world, authority):       # 8689-3: the sender hears of it
    hop = world.hop(implicit=authority.context("DNS:mx.signed.example"))
    _, r = deliver(world, hop, world.dns(hop.port), flags=FLAG_REQUIRETLS,
                   conf={"relay": "submissions://mx.signed.example:%d" % hop.port})
    assert (r.cls, r.enhanced) == (NEVER, "5.7.30"), r
    untouched(hop)


# ---- TLS-Required: No ----

@pytest.mark.parametrize("tls", [True, False])
def test_tls_optional_delivers_against_a_policy(world, context, tls):   # 8689-5
    hop = world.hop(**({"starttls": context} if tls else {}))
    _, r = deliver(world, hop, world.dns(hop.port, [MISFIT]), flags=FLAG_TLS_OPTIONAL)
    assert r.cls == DELIVERED and (" tls-optional " in r.tls if tls else r.tls == "none"), r


def test_tls_optional_delivers_when_tlsa_is_unknown(world):             # 8689-5
    hop = world.hop()
    _, r = deliver(world, hop, world.dns(hop.port, more={("_%d._tcp.mx.signed.example" % hop.port, TLSA): "SERVFAIL"}),
                   flags=FLAG_TLS_OPTIONAL)
    assert r.cls == DELIVERED, r


def test_requiretls_is_stronger_than_tls_optional(world, context):      # 8689-5
    hop = world.hop(starttls=context)
    _, r = deliver(world, hop, world.dns(hop.port, [MISFIT]), flags=FLAG_TLS_OPTIONAL | FLAG_REQUIRETLS)
    assert r.cls == LATER, r
    untouched(hop)
