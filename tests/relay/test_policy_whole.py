"""The receivers' policies through the whole server, in its cage: the fetch over HTTPS and the validation of DNSSEC need what 5_relay
promised to keep, and nothing more."""
import hashlib
import ssl

import pytest

from peers import A, MX
from postern_server import eventually
from road import QUICK, await_empty, await_reports, queue, submit
from signed import TLSA, TXT, SignedDns, Zone
from test_sts import Web, policy


def last(server, id):
    return queue(server, "show", id)


@pytest.mark.parametrize("name, delivered", [("mx.one.example", True), ("other.example", False)])
def test_mta_sts(world, authority, name, delivered):                    # sts-2, sts-5
    hop = world.hop(starttls=authority.context("DNS:" + name))
    web = Web(authority.context("DNS:mta-sts.one.example"), policy())
    world.hops.append(web)
    world.dns = SignedDns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"],
                           ("mta-sts.one.example", A): ["127.0.0.1"], ("_mta-sts.one.example", TXT): ["v=STSv1; id=1;"]})
    ours = world.serve(f'relay-ca-file = "{authority.ca}"\nmta-sts-port = {web.port}\n' + QUICK)
    id = submit(ours, "b@one.example")
    if delivered:
        done = ours.await_event("delivered")
        assert done["tls"].endswith(" sts mx.one.example verified"), done
        await_empty(ours)
    else:
        eventually(lambda: "another name" in last(ours, id), "the reason in the queue")
        assert not hop.mails
    assert len(web.asked) == 1
    assert (ours.state / "relay" / "mta-sts" / "one.example").exists()


@pytest.mark.parametrize("fits", [True, False])
def test_dane(world, authority, fits, tmp_path):                        # dane-3
    hop = world.hop(starttls=authority.context("DNS:whatever.example"))
    pem = open("%s/DNS_whatever.example.pem" % authority.folder).read()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest() if fits else b"x" * 32
    zone = Zone("one.example")
    world.dns = SignedDns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"],
                           ("_%d._tcp.mx.one.example" % hop.port, TLSA): [(3, 0, 1, digest)]}, [zone])
    ours = world.serve(f'dns-trust-anchor = "{zone.anchor(tmp_path)}"\n' + QUICK)
    id = submit(ours, "b@one.example")
    if fits:
        assert ours.await_event("delivered")["tls"].endswith(" dane 3 0 1 verified")
        await_empty(ours)
    else:
        eventually(lambda: "no TLSA record fits" in last(ours, id), "the reason in the queue")
        assert not hop.mails


def test_one_message_s_wish_holds_no_domain_up(world, tmp_path):        # 8689-2
    """A hop whose TLS is broken: what requires TLS waits, what does not goes at once, though a failed domain rests for a while."""
    hop = world.hop(starttls="broken")
    zone = Zone("one.example")
    world.dns = SignedDns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.1"]}, [zone])
    ours = world.serve(f'dns-trust-anchor = "{zone.anchor(tmp_path)}"\nretry-first = "10 min"\n')
    first = submit(ours, "b@one.example", mail=["REQUIRETLS"])
    eventually(lambda: "TLS failed" in last(ours, first), "the reason in the queue")
    submit(ours, "b@one.example")
    eventually(lambda: len(hop.mails) == 1, "the other message", 5)
    assert "REQUIRETLS" not in hop.mails[0][0] and "none (policy requiretls)" in last(ours, first)


def test_given_up_with_the_reason(world, authority, tmp_path):          # dane-3, sts-5, sts-6, 5321-55
    """Mail that a policy has stopped until its time was over comes back with the policy's reason, and was looked at anew each time."""
    context = authority.context("DNS:one.example")
    dane, bare, sink = world.hop("127.0.0.2", starttls=context), world.hop("127.0.0.3"), world.hop("127.0.0.9", starttls=context)
    web = Web(authority.context("DNS:mta-sts.two.example"), policy(mx=["mx.two.example"]))
    world.hops.append(web)
    zone = Zone("one.example")
    world.dns = SignedDns({("one.example", MX): [(10, "mx.one.example")], ("mx.one.example", A): ["127.0.0.2"],
                           ("_%d._tcp.mx.one.example" % world.port, TLSA): [(3, 0, 1, b"x" * 32)],
                           ("two.example", MX): [(10, "mx.two.example")], ("mx.two.example", A): ["127.0.0.3"],
                           ("mta-sts.two.example", A): ["127.0.0.1"], ("_mta-sts.two.example", TXT): ["v=STSv1; id=1;"],
                           ("sender.example", MX): [(10, "mx.sender.example")], ("mx.sender.example", A): ["127.0.0.9"]}, [zone], ttl=0)
    ours = world.serve(f'dns-trust-anchor = "{zone.anchor(tmp_path)}"\nrelay-ca-file = "{authority.ca}"\nmta-sts-port = {web.port}\n'
                       'expire = "2 s"\ndelay-notice = "0 s"\n' + QUICK)
    submit(ours, ["b@one.example", "b@two.example"])
    people = [p for r in await_reports(sink, 1) for p in r.people]
    if len(people) < 2:
        people = [p for r in await_reports(sink, 2) for p in r.people]
    told = {p["Final-Recipient"].split(";")[1].strip(): " ".join(p["Diagnostic-Code"].split()) for p in people}
    assert "no TLSA record fits" in told["b@one.example"] and "STARTTLS" in told["b@two.example"], told
    assert all(p["Status"] == "5.4.7" and p["Action"] == "failed" for p in people)
    for hop in (dane, bare):
        assert hop.sessions and not any(line.startswith(("MAIL", "RCPT", "DATA")) for s in hop.sessions for line in s.lines)
    assert sum(name == "_mta-sts.two.example" for name, _ in world.dns.asked) > 1 and len(web.asked) == 1
