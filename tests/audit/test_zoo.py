"""Each animal gets the finding that it is kept for, and no other of that weight (8314-*, 3207-*, 4954-*, 8996, 9325)."""
import datetime
import json
import ssl
import subprocess
import time

import pytest

from postern_server import POSTERN, postern
from schemas import validate
from zoo import Animal, Habits, Papers

WEIGHT = ["good", "info", "low", "medium", "high", "critical"]
V = ssl.TLSVersion


def day(offset):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)).strftime("%y%m%d%H%M%SZ")


RSA = {"key": ("rsa:2048",)}
ELSEWHERE = "DNS:elsewhere.example"     # stands for a certificate with that name
# name: (papers, habits, {the findings of at least low weight})
ANIMALS = {
    "good citizen": ({}, {}, set()),
    "good citizen with STARTTLS": ({}, {"implicit": False}, set()),
    "expired": ({"dates": (day(-60), day(-1))}, {}, {"cert-expired"}),
    "not yet valid": ({"dates": (day(2), day(90))}, {}, {"cert-not-yet-valid"}),
    "ends in days": ({"dates": (day(-60), day(3))}, {}, {"cert-ends-soon"}),
    "ends in weeks": ({"dates": (day(-60), day(15))}, {}, {"cert-ends-in-weeks"}),
    "another name": ({"names": "DNS:elsewhere.example"}, {}, {"cert-other-name"}),
    "partial wildcard": ({"names": "DNS:loc*"}, {}, {"cert-other-name"}),
    "common name only": ({"names": None}, {}, {"cert-common-name-only"}),
    "self-signed": ({"issuer": False}, {}, {"cert-self-signed"}),
    "weak key": ({"key": ("rsa:1024",)}, {}, {"cert-weak-key"}),
    "a stranger in the chain": ({}, {"behind": ("elsewhere",)}, {"cert-chain-order"}),
    "the root in the chain": ({}, {"behind": ("ca",)}, {"cert-chain-root"}),
    "broken digest": ({"digest": "sha1"}, {}, {"cert-weak-signature"}),
    "must staple": ({"extra": ("tlsfeature=status_request",)}, {}, {"cert-no-staple"}),
    "TLS 1.0 too": ({}, {"least": V.TLSv1, "suites": "ECDHE+AESGCM:ECDHE+AES"}, {"tls10", "tls11", "cipher-cbc"}),
    "TLS 1.1 too": ({}, {"least": V.TLSv1_1, "suites": "ECDHE+AESGCM:ECDHE+AES"}, {"tls11", "cipher-cbc"}),
    "TLS 1.0 only": (RSA, {"least": V.TLSv1, "most": V.TLSv1, "suites": "ECDHE+AES"}, {"tls10", "no-tls12", "cipher-cbc"}),
    "CBC": ({}, {"suites": "ECDHE+AESGCM:ECDHE+AES256"}, {"cipher-cbc"}),
    "static RSA": (RSA, {"suites": "ECDHE+AESGCM:kRSA+AESGCM"}, {"cipher-static-rsa"}),
    "anonymous": (RSA, {"suites": "ECDHE+AESGCM:AECDH+AES"}, {"cipher-null", "cipher-cbc"}),
    "SSLv3": ({}, {"fakes": ((0x300, 0x0035, 0),)}, {"ssl3", "cipher-cbc", "cipher-static-rsa"}),
    "RC4": ({}, {"fakes": ((0x303, 0x0005, 0),)}, {"cipher-rc4", "cipher-static-rsa"}),
    "Triple DES": ({}, {"fakes": ((0x303, 0xc012, 0),)}, {"cipher-3des"}),
    "export suites": ({}, {"fakes": ((0x303, 0x0003, 0),)}, {"cipher-export", "cipher-rc4"}),
    "no encryption": ({}, {"fakes": ((0x303, 0xc010, 0),)}, {"cipher-null"}),
    "compression": ({}, {"fakes": ((0x303, 0xc02f, 1),)}, {"compression"}),
    "asks for a certificate": ({}, {"asks_certificate": True}, {"asks-certificate"}),
    "renegotiates": ({}, {"renegotiates": True}, {"renegotiation"}),
    "no close_notify": ({}, {"goodbye": False}, {"no-close-notify"}),
    "clear text on 465": ({}, {"says_in_clear": b"220 localhost ESMTP\r\n"}, {"clear-smtp-on-465"}),
    "HTTP": ({}, {"answers_in_clear": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"}, {"http", "tls-fails"}),
    "URD": ({}, {"answers_in_clear": b"HTTP/1.1 200 OK\r\nServer:cisco IOS\r\nContent-Type:text/html\r\n\r\n"}, {"tls-fails"}),
    "something else": ({}, {"says_in_clear": b"SSH-2.0-OpenSSH_9.2\r\n"}, {"other-protocol"}),
    "silent": ({}, {"silent": True}, {"silent", "tls-fails"}),
    "no STARTTLS": ({}, {"implicit": False, "starttls": False}, {"starttls-missing"}),
    "STARTTLS now and then": ({}, {"implicit": False, "starttls_every": 2}, {"starttls-unsteady"}),
    "STARTTLS refused": ({}, {"implicit": False, "starttls_reply": "454 4.7.0 not now"}, {"starttls-refused"}),
    "STARTTLS again": ({}, {"implicit": False, "starttls_under_tls": True}, {"starttls-again"}),
    "injectable": ({}, {"implicit": False, "keeps_buffer": True}, {"starttls-injection"}),
    "AUTH offered in clear": ({}, {"implicit": False, "auth_in_clear": "AUTH PLAIN"}, {"auth-offered-clear"}),
    "SCRAM taken in clear": ({}, {"implicit": False, "taken_in_clear": ("SCRAM-SHA-256",)}, {"auth-taken-clear"}),
    "PLAIN taken in clear": ({}, {"implicit": False, "taken_in_clear": ("PLAIN",)}, {"auth-exposing-clear", "stripped-auth"}),
    "login after HELO": ({}, {"implicit": False, "helo_trusts": True}, {"stripped-auth", "stripped-mail"}),
    "no name, no TLS": ({}, {"refuses_nameless": True}, {"sni-needed"}),
    "another face without a name": ({}, {"nameless": ELSEWHERE}, {"sni-default-other"}),
    "known names only": ({}, {"refuses_unknown": True}, {"sni-strict"}),
    "unmarked downgrade": ({}, {"fakes": ((0x303, 0xc02f, 0),), "marks": False}, {"no-downgrade-mark", "no-fallback-alert"}),
    "weak curves": ({}, {"weak_groups": True}, {"weak-group"}),
    "a short prime": (RSA, {"suites": "ECDHE+AESGCM:DHE+AESGCM", "prime": 1024}, {"weak-prime"}),
    "a curve of its own": ({}, {"curve": "secp384r1"}, {"no-usual-group"}),
    "given-up mechanisms": ({}, {"auth": "AUTH ANONYMOUS CRAM-MD5 PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"}, {"auth-anonymous", "auth-obsolete"}),
    "no AUTH": ({}, {"auth": ""}, {"no-auth"}),
    "MAIL without login": ({}, {"mail_reply": "250 2.1.0 ok"}, {"mail-before-auth"}),
    "open relay": ({}, {"mail_reply": "250 2.1.0 ok", "rcpt_reply": "250 2.1.5 ok"}, {"mail-before-auth", "open-relay"}),
    "VRFY tells": ({}, {"vrfy_reply": "550 5.1.1 no such user"}, {"vrfy"}),
    "EXPN tells": ({}, {"expn_reply": "250 <staff@example.org>"}, {"expn"}),
    "nameless": ({}, {"greeting": "220 mailserver"}, {"greeting-name"}),
    "nameless EHLO": ({}, {"ehlo": ("hi_there", "PIPELINING", "SIZE 1")}, {"ehlo-name"}),
    "endless reply": ({}, {"ehlo": ("localhost",) + ("X-MORE",) * 300}, {"hostile"}),
    "endless line": ({}, {"greeting": "220 localhost " + "x" * 10000}, {"hostile"}),
    "NUL in a reply": ({}, {"greeting": "220 localhost\0 ESMTP"}, {"hostile"}),
    "lines end in LF": ({}, {"line_end": "\n"}, set()),
}
# localhost has no dot, and that is not what these animals are kept for.
UNASKED = {"greeting-name", "ehlo-name"}


@pytest.fixture(scope="session")
def papers(tmp_path_factory):
    return Papers(tmp_path_factory.mktemp("papers"))


def examine(papers, target, *options):
    done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, *options, target, timeout=60)
    assert done.returncode in (0, 1, 2), done.stderr
    report = json.loads(done.stdout)
    validate("audit", report)
    return done.returncode, report["targets"][0]["endpoints"]


@pytest.mark.parametrize("name", ANIMALS)
def test_animal(papers, name):
    paper, habits, expected = ANIMALS[name]
    chain, key = papers.issue(name.replace(" ", "-"), **paper)
    if habits.get("behind"):
        habits = dict(habits)
        papers.issue("elsewhere", names=ELSEWHERE)
        long = chain.with_suffix(".long")
        long.write_text("".join(p.read_text() for p in (chain, *(papers.folder / f"{stem}.pem" for stem in habits.pop("behind")))))
        chain = long
    if habits.get("nameless"):
        habits = dict(habits, nameless=papers.issue("elsewhere", names=habits["nameless"]))
    with Animal(Habits(chain=chain, key=key, **habits)) as animal:
        _, endpoints = examine(papers, animal.target)
    endpoint, = [e for e in endpoints if e["address"] == "127.0.0.1"]
    found = {f["id"]: f for f in endpoint["findings"]}
    serious = {i for i, f in found.items() if WEIGHT.index(f["severity"]) >= WEIGHT.index("low")}
    assert expected <= set(found), json.dumps(endpoint, indent=1)
    assert serious - (UNASKED - expected) == expected & serious, json.dumps(endpoint, indent=1)
    assert all(found[i]["evidence"] and found[i]["why"] and found[i]["reference"] for i in expected)
    if name == "URD":
        assert "urd" in found


@pytest.mark.parametrize(("server_order", "words"), [(True, "server"), (False, "client")])
def test_whose_order_beside_chacha(papers, server_order, words):
    """A client that puts ChaCha20 first may be given it; the order is the server's all the same (SSL_OP_PRIORITIZE_CHACHA)."""
    chain, key = papers.issue("chacha")
    with Animal(Habits(chain=chain, key=key, server_order=server_order, chacha_counts=server_order)) as animal:
        _, (endpoint, *_) = examine(papers, animal.target)
    assert endpoint["facts"]["tls-preference"] == [words]


def test_dripping(papers):
    """A reply that comes octet by octet ends by the clock, and is a finding."""
    chain, key = papers.issue("drip")
    with Animal(Habits(chain=chain, key=key, drip=0.3)) as animal:
        began = time.monotonic()
        _, endpoints = examine(papers, animal.target, "--timeout", "1")
    found = {f["id"]: f for e in endpoints for f in e["findings"]}
    assert "does not come to its end" in found["hostile"]["evidence"] and time.monotonic() - began < 8


def test_exit_codes(papers):
    chain, key = papers.issue("exit-codes", issuer=False)
    with Animal(Habits(chain=chain, key=key)) as animal:
        assert examine(papers, animal.target)[0] == 1
        assert examine(papers, animal.target, "--fail", "critical")[0] == 0
        gone = animal.target
    assert examine(papers, gone)[0] == 2


def test_a_policy_says_what_fails(papers, tmp_path):
    chain, key = papers.issue("policy", issuer=False)
    policy = tmp_path / "policy"
    with Animal(Habits(chain=chain, key=key)) as animal:
        policy.write_text("allow cert-self-signed\n")
        status, endpoints = examine(papers, animal.target, "--policy", policy)
        assert status == 0 and not any(f["fails"] for e in endpoints for f in e["findings"])
        policy.write_text("allow cert-self-signed\nfail no-size\n")
        assert examine(papers, animal.target, "--policy", policy)[0] == 0
        policy.write_text("allow cert-self-signed\nfail tls-modern\n")
        status, endpoints = examine(papers, animal.target, "--policy", policy)
        assert status == 1 and {f["id"] for e in endpoints for f in e["findings"] if f["fails"]} == {"tls-modern"}
    policy.write_text("\nfail no-such-check\n")
    done = postern("audit", "--policy", policy, "localhost")
    assert done.returncode == 64 and f"{policy}:2: no check has this id" in done.stderr


def test_postern_gets_the_best_grade(make_server):
    server = make_server().start()
    for target in (f"localhost:{server.submissions}/submissions", f"localhost:{server.submission}/submission"):
        done = postern("audit", "--json", "--ca-file", server.ca, target, timeout=60)
        assert done.returncode == 0, done.stdout
        for endpoint in json.loads(done.stdout)["targets"][0]["endpoints"]:
            if endpoint["kind"] == "closed":
                continue
            assert endpoint["grade"] == "A"
            assert {f["id"] for f in endpoint["findings"] if f["severity"] not in ("good", "info")} == set()
            assert {"tls-modern", "cert-good", "login-demanded", "scram-plus"} <= {f["id"] for f in endpoint["findings"]}


def test_judged_again(papers, tmp_path):
    chain, key = papers.issue("judged", names="DNS:elsewhere.example")
    kept = tmp_path / "kept"
    with Animal(Habits(chain=chain, key=key)) as animal:
        first = examine(papers, animal.target, "--save", kept)
    done = postern("audit", "--json", "--judge", kept)
    assert (done.returncode, json.loads(done.stdout)["targets"][0]["endpoints"]) == first
    kept.write_text("something else\n")
    assert postern("audit", "--judge", kept).returncode == 2


def test_many_hosts_at_once(papers, tmp_path):
    chain, key = papers.issue("many")
    with Animal(Habits(chain=chain, key=key)) as animal:
        hosts = tmp_path / "hosts"
        hosts.write_text("# the zoo\n" + f"127.0.0.1:{animal.port}/submissions  # one\n" * 12)
        done = postern("audit", "--json", "--ca-file", papers.ca, "--parallel", "6", "--hosts", hosts, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [t["target"] for t in json.loads(done.stdout)["targets"]] == ["127.0.0.1"] * 12


def test_for_people(papers):
    chain, key = papers.issue("people", issuer=False)
    with Animal(Habits(chain=chain, key=key)) as animal:
        text = postern("audit", "--details", animal.target).stdout
    for words in ("grade D", "[cert-self-signed]", "seen", "why", "mend", "Postfix:", "Exim:", "OpenSMTPD:", "Postern:"):
        assert words in text
    assert "\033" not in text


def test_formats(papers, tmp_path):
    kept = tmp_path / "kept"
    evil = "<script>alert(1)</script> & \\x1b"
    kept.write_text("postern-audit 1\ntarget mail.example.org\nat 2026-11-22T00:00:00Z\nendpoint 192.0.2.1 587 submission\nconnect ok 1\n"
                    f"ehlo-clear mail.example.org\nehlo-clear AUTH {evil}\nstarttls-tries 3 0\n")
    sarif = json.loads(postern("audit", "--sarif", "--judge", kept).stdout)
    run, = sarif["runs"]
    assert sarif["version"] == "2.1.0" and {r["ruleId"] for r in run["results"]} == {"starttls-missing", "auth-offered-clear"}
    assert {r["ruleId"] for r in run["results"]} <= {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "smtp://mail.example.org:587"
    page = postern("audit", "--html", "--judge", kept).stdout
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page and "width=device-width" in page and "src=" not in page
    found = json.loads(postern("audit", "--json", "--judge", kept).stdout)["targets"][0]
    assert found["examined"] and evil in found["endpoints"][0]["findings"][1]["evidence"]


def test_a_transcript_does_not_drive_the_terminal(tmp_path):
    """regress 0306: a transcript may be anybody's, and may not be as we write them."""
    kept = tmp_path / "kept"
    kept.write_bytes(b"postern-audit 1\ntarget mail\x9b2J.example.org\nat 2026-11-22T00:00:00Z\nendpoint 192.0.2.1 587 submission\nconnect ok 1\n"
                     b"ehlo-clear mail.example.org\nehlo-clear AUTH \xc2\x9b2J\nstarttls-tries 3 0\n")
    for options in ((), ("--html",)):
        done = subprocess.run([POSTERN, "audit", *options, "--judge", kept], capture_output=True, timeout=20)
        assert b"mail?2J" in done.stdout and b"AUTH ??2J" in done.stdout and b"\x9b" not in done.stdout, done


def test_bad_arguments(tmp_path):
    for bad in (["someone@example.org:465"], ["host:0"], ["host:99999"], ["host:2526"], ["host:465/ftp"], ["[::1"], ["h o"], [""], [],
                ["--timeout", "0", "host"], ["--parallel", "65", "host"], ["--fail", "no", "host"], ["--nonsense", "x"], ["--hosts", tmp_path / "none"]):
        done = postern("audit", *bad)
        assert done.returncode == 64 and done.stderr.startswith("postern audit:"), (bad, done)
    assert postern("audit", "--help").returncode == 0
    assert postern("audit", "--timeout", "1", "no-such-host.invalid").returncode == 2
