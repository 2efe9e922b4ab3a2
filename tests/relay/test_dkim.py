"""Mail is signed at its attempt, and what arrives verifies: by dkimpy and by OpenDKIM, which know nothing of each other."""
import email
import os
import re
import signal
import time

import pytest

from postern_server import eventually, postern
from peers import A, Dns
from dkim_verify import FIELD, records, signatures, verified
from road import LETTER, QUICK, SENDER, await_empty, client, queue, submit

TXT = 16
BOTH = {"rsa-sha256": True, "ed25519-sha256": True}


def domain(server, *words, code=0):
    done = postern("user", "domain", *words, *server.options)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def signing(world, more="", names=("one.example",), keys=("sender.example",), **hop):
    """A hop, a server that signs, and the records of its first domain."""
    there = world.hop(**hop)
    world.names({name: "127.0.0.1" for name in names})
    server = world.serve(QUICK + more, start=False)
    for name in keys:
        domain(server, "add", name)
    server.start()
    server.add_key("alice", "@sender.example")
    return server, there, records(server, keys[0]) if keys else {}


def arrived(hop, count=1):
    return eventually(lambda: len(hop.mails) >= count and hop.mails, f"{count} mails")


def letter(body=b"hello\r\n", header=b"", subject=b"the way"):
    return (b"From: Alice <alice@sender.example>\r\nTo: b@one.example\r\nSubject: " + subject + b"\r\n" + header + b"\r\n" + body)


BODIES = {
    "plain": letter(),
    "empty": letter(b""),
    "blank-lines-behind": letter(b"one  two \t three \r\n\r\n \r\n\t\r\n\r\n"),
    "only-blank-lines": letter(b"\r\n\r\n\r\n"),
    "dots": letter(b".\r\n..two\r\nend.\r\n"),
    "eight-bit": letter("gr\u00fc\u00dfe\r\n".encode("latin-1"),
                        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"),
    "long-lines": letter(b"x" * 900 + b"\r\n", b"X-Long: " + b"y" * 980 + b"\r\nReferences: " + b" ".join(
        b"<%d@sender.example>" % i for i in range(40)) + b"\r\n\t<last@sender.example>\r\n", b"s" * 800),
    "megabyte": letter(b"".join(b"line %06d of a long letter, with some more words\r\n" % i for i in range(20000))),
}


def test_all_kinds_of_mail_verify(world, tmp_path):            # dkim-1, dkim-5, dkim-6, dkim-7, dkim-8
    server, hop, known = signing(world)
    for i, (what, content) in enumerate(BODIES.items()):
        submit(server, "b@one.example", content, mail=["BODY=8BITMIME"] if what == "eight-bit" else [])
        mail = arrived(hop, i + 1)[i]
        assert verified(mail[2], known, tmp_path) == BOTH, what
        assert mail[2].startswith(b"DKIM-Signature: "), "in front of all others"
        assert int(re.search(r"SIZE=(\d+)", mail[0]).group(1)) == len(mail[2]), what
    await_empty(server)


GERMAN = {
    "a page": "ein langer Satz mit \u00e4 und \u00f6, und am Ende ein Leerzeichen \r\n.\r\n..\r\nFrom here\r\n" * 30,
    "megabytes": "".join("Zeile %06d \u00fc\r\n" % i for i in range(120000)),
}
MIME_8BIT = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


@pytest.mark.parametrize("what", GERMAN)
def test_converted_mail_verifies_at_its_hop(world, tmp_path, what):      # dkim-1, 6152-2
    """One message to a hop that takes 8BITMIME and to one that does not: each gets signatures of what it is sent."""
    server, wide, known = signing(world, names=("one.example", "two.example"))
    world.dns.records[("mx.two.example", A)] = ["127.0.0.2"]
    narrow = world.hop("127.0.0.2", offers=("PIPELINING", "SIZE 50000000"))
    text = GERMAN[what].encode()
    for i in range(2):
        submit(server, ["b@one.example", "b@two.example"], letter(text, MIME_8BIT), mail=["BODY=8BITMIME"])
        for hop, encoding in (wide, "8bit"), (narrow, "quoted-printable"):
            envelope, _, mail = arrived(hop, i + 1)[i]
            assert verified(mail, known, tmp_path) == BOTH, encoding
            message = email.message_from_bytes(mail)
            assert message["Content-Transfer-Encoding"] == encoding and message.get_payload(decode=True).rstrip() == text.rstrip()
            assert int(re.search(r"SIZE=(\d+)", envelope).group(1)) == len(mail), encoding
            assert ("BODY=8BITMIME" in envelope) == (hop is wide)
        assert all(c < 128 for c in narrow.mails[i][2])
        assert not set(FIELD.findall(wide.mails[i][2])) & set(FIELD.findall(narrow.mails[i][2]))
    await_empty(server)


def test_internationalised_mail_verifies(world, tmp_path):
    server, hop, _ = signing(world, offers=("PIPELINING", "8BITMIME", "SMTPUTF8"), keys=("xn--snder-gra.example",), names=("one.example",))
    known = records(server, "s\u00e4nder.example")
    done = postern("user", "add", *server.options, "zoe", "--address", "@s\u00e4nder.example")
    assert done.returncode == 0, done.stderr
    done = postern("user", "key", *server.options, "zoe", "laptop")
    server.login, server.key = "zoe", done.stdout.strip()
    content = "From: Zo\u00eb <zo\u00eb@s\u00e4nder.example>\r\nTo: b@one.example\r\nSubject: gr\u00fc\u00dfe\r\n\r\nja\r\n".encode()
    submit(server, "b@one.example", content, sender="zoe@s\u00e4nder.example", mail=["SMTPUTF8", "BODY=8BITMIME"])
    mail = arrived(hop)[0][2]
    assert verified(mail, known, tmp_path) == BOTH
    assert b"d=xn--snder-gra.example;" in mail


def test_tampered_mail_fails(world, tmp_path):                 # dkim-2, dkim-3
    server, hop, known = signing(world)
    submit(server, "b@one.example", letter(b"pay 10 to Bob\r\n", b"Reply-To: alice@sender.example\r\n"))
    mail = arrived(hop)[0][2]
    head, rest = mail.split(b"From: ", 1)
    bad = {algorithm: False for algorithm in BOTH}
    for what, changed in {
        "body": mail.replace(b"pay 10", b"pay 99"),
        "subject": mail.replace(b"the way", b"the lie"),
        "second From": head + b"From: Mallory <m@evil.example>\r\nFrom: " + rest,
        "second Subject": head + b"Subject: urgent\r\nFrom: " + rest,
        "Cc where none was": head + b"Cc: m@evil.example\r\nFrom: " + rest,
        "content type where none was": head + b"Content-Type: text/html\r\nFrom: " + rest,
        "text behind": mail + b"and 5 to me\r\n",
    }.items():
        assert verified(changed, known, tmp_path) == bad, what
    # What changes on the way of itself is no harm.
    assert verified(mail.replace(b"\r\nTo: b@", b"\r\nto:\r\n\t b@").replace(b"pay 10 to", b"pay  10\tto") + b"\r\n\r\n", known, tmp_path) == BOTH
    fields = signatures(mail)[0][1]
    assert fields["c"] == "relaxed/relaxed" and fields["d"] == "sender.example" and "l" not in fields and "x" not in fields
    assert fields["h"].split(":").count("from") == 2 and fields["h"].split(":").count("cc") == 1
    assert not {"received", "return-path", "bcc"} & set(fields["h"].split(":"))
    assert abs(int(fields["t"]) - time.time()) < 100


def test_other_signatures_stay(world, tmp_path):               # dkim-7
    server, hop, known = signing(world)
    submit(server, "b@one.example", letter(header=b"DKIM-Signature: v=1; a=rsa-sha256; d=elsewhere.example; s=s;\r\n\th=from; bh=; b=\r\n"))
    mail = arrived(hop)[0][2]
    assert [tags["d"] for _, tags, _ in signatures(mail)] == ["sender.example", "sender.example", "elsewhere.example"]
    ours = FIELD.findall(mail)[:2]
    for one in ours:
        assert verified(mail.replace(ours[0], b"").replace(ours[1], b"").replace(b"Received:", one + b"Received:", 1), known,
                        tmp_path)[signatures(one)[0][0]]


def test_switches_for_domain_and_next_hop(world, tmp_path):
    server, hop, known = signing(world, 'dkim-domain = { "two.sender.example ed25519" }\n'
                                 'dkim-next-hop = { "one.example rsa", ".plain.example off", "mx.three.example ed25519" }\n',
                                 names=("one.example", "two.example", "three.example", "x.plain.example"))
    for i, (to, sender, wanted) in enumerate([
            ("b@one.example", SENDER, {"rsa-sha256"}), ("b@two.example", SENDER, {"rsa-sha256", "ed25519-sha256"}),
            ("b@three.example", SENDER, {"ed25519-sha256"}), ("b@x.plain.example", SENDER, set())]):
        submit(server, to, LETTER)
        mail = arrived(hop, i + 1)[i][2]
        assert verified(mail, known, tmp_path) == {a: True for a in wanted}, to
    server.write_config(f'relay = "mx"\nrelay-port = {world.port}\ndns-server = "{world.dns.server}"\n' + QUICK + 'dkim = "ed25519"\n')
    server.hup()
    server.await_event("reloaded")
    time.sleep(0.5)
    submit(server, "b@two.example", LETTER)
    assert set(verified(arrived(hop, 5)[4][2], known, tmp_path)) == {"ed25519-sha256"}


def test_domain_above_signs_and_others_go_unsigned(world, tmp_path):   # dmarc-1
    server, hop, known = signing(world)
    for name in ("sub.sender.example", "stranger.example"):
        assert postern("user", "grant", *server.options, "alice", "--address", "@" + name).returncode == 0
    time.sleep(1.2)
    submit(server, "b@one.example", LETTER.replace(SENDER.encode(), b"a@Sub.Sender.Example"))
    mail = arrived(hop)[0][2]
    assert verified(mail, known, tmp_path) == BOTH and b"\td=sender.example;" in mail
    for i in range(2):
        submit(server, "b@one.example", LETTER.replace(SENDER.encode(), b"a@stranger.example"))
        assert b"DKIM-Signature" not in arrived(hop, i + 2)[i + 1][2]
    assert [e["domain"] for e in server.events("unsigned")] == ["stranger.example"]


def test_rotation_overlaps_and_survives_a_restart(world, tmp_path):
    server, hop, before = signing(world)
    said = domain(server, "rotate", "sender.example")
    after = records(server, "sender.example")
    fresh = set(after) - set(before)
    assert len(fresh) == 2 and all(after[s][0] in said and after[s][3] == "waiting" for s in fresh)
    submit(server, "b@one.example")
    assert {t["s"] for _, t, _ in signatures(arrived(hop)[0][2])} == set(before)
    assert server.stop() == 0
    server.start()
    submit(server, "b@one.example")
    assert {t["s"] for _, t, _ in signatures(arrived(hop, 2)[1][2])} == set(before)
    domain(server, "activate", "sender.example")
    server.await_event("dkim-taken")
    # The relay takes the list when 2_signer has the keys.
    for i in range(2, 12):
        submit(server, "b@one.example")
        mail = arrived(hop, i + 1)[i][2]
        assert verified(mail, after, tmp_path) == BOTH
        if {t["s"] for _, t, _ in signatures(mail)} == fresh:
            break
        time.sleep(0.3)
    else:
        raise AssertionError("the new keys were not taken")
    assert {after[3] for after in records(server, "sender.example").values()} == {"old", "active"}
    assert "signs mail" in domain(server, "remove", "sender.example", fresh.copy().pop(), code=65)
    domain(server, "remove", "sender.example", next(iter(before)))
    assert server.stop() == 0


def test_our_own_reports_are_signed(world, tmp_path):
    server, hop, _ = signing(world, names=("one.example", "sender.example"), keys=("sender.example", "example.org"),
                             script={"RCPT TO:<nobody@one.example>": "550 5.1.1 no"})
    submit(server, "nobody@one.example")
    envelope, _, report = arrived(hop)[0]
    assert envelope.startswith("MAIL FROM:<>")
    assert verified(report, records(server, "example.org"), tmp_path) == BOTH


class TxtDns(Dns):
    """Answers TXT as well; strings of at most 255 octets."""

    def rdata(self, kind, value):
        if kind != TXT:
            return super().rdata(kind, value)
        pieces = [value.encode()[i:i + 255] for i in range(0, len(value), 255)]
        return b"".join(bytes([len(p)]) + p for p in pieces)


def test_published_records_are_seen(world):                    # dkim-8
    server = world.make_server(config="")
    domain(server, "add", "sender.example", "--wait")
    known = records(server, "sender.example")
    rsa = next(r for r in known.values() if r[2] == "rsa-sha256")
    ed = next(r for r in known.values() if r[2] == "ed25519-sha256")
    world.dns = TxtDns({(rsa[0], TXT): [rsa[1].replace("; p=", "; t=s; p= ")], (ed[0], TXT): ["v=DKIM1; k=ed25519; p=AAAA"]})
    server.write_config(f'dns-server = "{world.dns.server}"\n')
    done = postern("user", "domain", "check", "sender.example", *server.options)
    assert done.returncode == 65 and "cannot be verified" in done.stderr
    assert f"{rsa[0]} waiting: published\n" in done.stdout and f"{ed[0]} waiting: another value is published\n" in done.stdout
    world.dns.records.pop((ed[0], TXT))
    assert f"{ed[0]} waiting: not there\n" in postern("user", "domain", "check", "sender.example", *server.options).stdout
    world.dns.records[(ed[0], TXT)] = "SERVFAIL"
    assert f"{ed[0]} waiting: not known: " in postern("user", "domain", "check", "sender.example", *server.options).stdout
    world.dns.records[(ed[0], TXT)] = [ed[1]]
    assert domain(server, "check", "sender.example").count(": published\n") == 2
    assert "no keys" in domain(server, "check", "other.example", code=65)


def test_a_key_that_cannot_be_used_is_named(world):
    server, hop, known = signing(world)
    (server.state / "dkim").rename(server.state / "away")
    server.hup()
    assert "should be there" in server.await_event("reload-refused")["why"]
    (server.state / "away").rename(server.state / "dkim")
    key = next((server.state / "dkim" / "sender.example").glob("*r.pem"))
    key.chmod(0o640)
    server.hup()
    assert "chmod 600" in server.await_event("reload-refused", 2)["why"]
    submit(server, "b@one.example")
    assert len(signatures(arrived(hop)[0][2])) == 2, "the old list is in force"
    done = postern("check", *server.options)
    assert done.returncode == 78 and str(key) in done.stdout + done.stderr
    assert server.stop() == 0
    assert server.launch().process.wait(20) == 78 and f"{key}: others may read this key" in server.log.read_text()


def test_one_message_to_many_destinations_is_signed_once(world, tmp_path):
    names = [f"d{i}.example" for i in range(12)]
    server, hop, known = signing(world, names=names)
    submit(server, ["b@" + n for n in names], letter(b"x" * 70 + b"\r\n"))
    mails = [m[2] for m in arrived(hop, len(names))]
    assert len({FIELD.findall(m)[0] for m in mails}) == 1
    assert verified(mails[0], known, tmp_path) == BOTH
    await_empty(server)


def test_mail_waits_for_a_signer_that_hangs(world, tmp_path):
    server, hop, known = signing(world)
    children = server.children()
    with client(server) as smtp:
        # The handshake is over: that, too, would want a signature.
        os.kill(children["signer:0"], signal.SIGSTOP)
        smtp.mail(SENDER)
        smtp.rcpt("b@one.example")
        id = smtp.data(LETTER)[1].decode().split()[-1]
    try:
        # Not unsigned, not lost: it waits, and says why.
        event = server.await_event("not-signed", patience=25)
        assert event["why"] == "2_signer does not answer" and event["id"] == id and not hop.mails
        said = eventually(lambda: "could not be signed" in (text := queue(server, "show", id)) and text, "the reason")
        assert "2_signer does not answer" in said
    finally:
        os.kill(children["signer:0"], signal.SIGCONT)
    assert verified(arrived(hop)[0][2], known, tmp_path) == BOTH
    await_empty(server)


def test_a_signer_that_dies_is_waited_for(world, tmp_path):
    server, hop, known = signing(world)
    for i in range(3):
        os.kill(server.children()["signer:0"], signal.SIGKILL)
        eventually(lambda: len(server.events("child-ended", child="signer")) > i, "its end")
        server.await_event("child-ready", i + 1, child="signer")
        submit(server, "b@one.example")
        assert verified(arrived(hop, i + 1)[i][2], known, tmp_path) == BOTH
    assert not server.events("not-signed")
