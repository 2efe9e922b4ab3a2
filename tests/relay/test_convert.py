"""5_relay and next hops that lack 8BITMIME, BINARYMIME, SMTPUTF8 or DSN: what is converted, what is refused, in which words."""
import email
import email.policy
import random
import re

import pytest

from peers import DELIVERED, FLAG_8BIT, FLAG_BINARY, FLAG_UTF8, LATER, NEVER, World, only

RCPTS = ["b@next.example"]
PLAIN = ["PIPELINING", "SIZE 500000000", "DSN", "ENHANCEDSTATUSCODES"]
EIGHT = PLAIN + ["8BITMIME"]
BINARY = EIGHT + ["CHUNKING", "BINARYMIME"]
HEAD = b"From: a@relay.example\r\nTo: b@next.example\r\nSubject: x\r\n"


@pytest.fixture
def world():
    one = World()
    yield one
    one.close()


def crlf(text):
    octets = text.encode() if isinstance(text, str) else text
    return octets.replace(b"\n", b"\r\n")


def read(octets):
    return email.message_from_bytes(octets, policy=email.policy.SMTP.clone(utf8=True))


def leaves(octets):
    """What a reader gets: type, charset and octets of each part that is none of others."""
    out = []
    for part in read(octets).walk():
        if not part.is_multipart():
            out.append((part.get_content_type(), part.get_param("name"), part.get_payload(decode=True)))
    return out


def fit(octets, eightbit=False):
    """What any such hop may be sent: RFC 5321 2.3.8, 4.5.3.1.6, RFC 6152 3."""
    assert octets.endswith(b"\r\n") and not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", octets)
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert eightbit or all(c < 128 for c in octets)


def declared(mail):
    return int(re.search(r"SIZE=(\d+)", mail[0]).group(1))


def part(head, body):
    return b"--=_outer\r\n" + crlf(head) + b"\r\n" + body + b"\r\n"


MIXED = HEAD + crlf("""MIME-Version: 1.0
Content-Type: multipart/mixed;
\tboundary="=_outer"
Content-Transfer-Encoding: 8bit

Nobody reads this: \u00fc
""") + part("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
            crlf("Gr\u00fc\u00dfe, =3D and a space at the end \nFrom here on\n.\n..dots\n" + "ein langer Satz mit \u00e4 und \u00f6, " * 20)) + \
    part("Content-Type: text/plain; charset=iso-8859-5; name=cyrillic\nContent-Transfer-Encoding: 8bit\n",
         crlf(bytes(range(0xb0, 0xf0)) * 4)) + \
    part("Content-Type: application/octet-stream; name=data\nContent-Transfer-Encoding: 8bit\n",
         crlf(bytes(range(0x80, 0x100)) * 5)) + \
    part("Content-Type: text/plain; name=seven\n", b"seven bits, untouched = as they are \r\n") + \
    part("Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n", crlf("""From: c@inner.example
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=inner
Content-Transfer-Encoding: 8bit

--inner
Content-Type: text/plain; charset=utf-8; name=deep
Content-Transfer-Encoding: 8bit

tief \u00fcber allem
--inner--""")) + b"--=_outer--\r\nnor this: \xff\r\n"


# ---- 8BITMIME (RFC 6152) ----

def test_parts_are_encoded_and_read_the_same(world):                    # 6152-2
    hop = world.hop(offers=PLAIN)
    r = only(world.smart(hop).deliver(RCPTS, content=MIXED, flags=FLAG_8BIT))
    assert r.cls == DELIVERED, r
    mail, = hop.mails
    fit(mail[2])
    assert declared(mail) == len(mail[2]) and "BODY=" not in mail[0]            # 1870: the size that is sent
    assert leaves(mail[2]) == leaves(MIXED)
    message = read(mail[2])
    assert message["Content-Transfer-Encoding"] == "7bit" and not message.defects
    first, cyrillic, data, seven, inner = message.iter_parts()
    assert [p["Content-Transfer-Encoding"] for p in (first, cyrillic, data, seven, inner)] == [
        "quoted-printable", "base64", "base64", None, "7bit"]
    assert b"seven bits, untouched = as they are \r\n" in mail[2]
    assert mail[2].startswith(HEAD)


def test_who_has_8bitmime_gets_it_as_it_is(world):
    hop = world.hop(offers=EIGHT)
    assert only(world.smart(hop).deliver(RCPTS, content=MIXED, flags=FLAG_8BIT)).cls == DELIVERED
    assert hop.mails[0][2] == MIXED and "BODY=8BITMIME" in hop.mails[0][0]


def test_said_to_be_8bit_and_is_not(world):
    hop, content = world.hop(offers=PLAIN), HEAD + b"Content-Transfer-Encoding: 8bit\r\n\r\nseven bits\r\n"
    assert only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT)).cls == DELIVERED
    assert hop.mails[0][2] == content and "BODY=" not in hop.mails[0][0]


@pytest.mark.parametrize("octets,charset", [("Gr\u00fc\u00dfe\n".encode(), "utf-8"), (b"Gr\xfc\xdfe und mehr\n", "unknown-8bit")])
def test_text_that_says_nothing_of_itself(world, octets, charset):      # 2045-..., RFC 1428 3
    hop = world.hop(offers=PLAIN)
    assert only(world.smart(hop).deliver(RCPTS, content=HEAD + b"\r\n" + crlf(octets), flags=FLAG_8BIT)).cls == DELIVERED
    message = read(hop.mails[0][2])
    fit(hop.mails[0][2])
    assert message["MIME-Version"] == "1.0" and message.get_content_charset() == charset
    assert message.get_payload(decode=True) == crlf(octets)


SIGNED = HEAD + crlf("""MIME-Version: 1.0
Content-Type: multipart/signed; micalg=pgp-sha256;
 protocol="application/pgp-signature"; boundary=s

--s
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

\u00fc
--s
Content-Type: application/pgp-signature

abc
--s--
""")
DKIM = HEAD + b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\r\n"
LIES = HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n\xc3\xbc\r\n"
PARTIAL = HEAD + b"Content-Type: message/partial; id=1; number=1\r\n\r\n\xc3\xbc\r\n"
NAME = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; name=\"\xfc\"\r\n\r\nx\r\n--b--\r\n"


@pytest.mark.parametrize("content,why", [
    (SIGNED, "multipart/signed"), (DKIM, "DKIM-Signature"), (LIES, "says that it is encoded"), (PARTIAL, "may not be encoded"),
    (NAME, "header"),
], ids=["signed", "dkim", "lies", "partial", "header"])
def test_what_must_not_be_changed_comes_back(world, content, why):      # 6152-2
    hop = world.hop(offers=PLAIN)
    relay = world.smart(hop)
    r = only(relay.deliver(RCPTS, content=content, flags=FLAG_8BIT))
    assert (r.cls, r.code, r.enhanced) == (NEVER, 0, "5.6.3") and why in r.text and "8BITMIME" in r.text, r
    assert not hop.mails
    assert only(relay.deliver(RCPTS)).cls == DELIVERED and len(hop.sessions) == 1


def test_signed_and_fit_passes_untouched(world):
    content = MIXED.replace(b"--=_outer--", SIGNED[len(HEAD):].replace(b"\xc3\xbc", b"u").join([b"--=_outer\r\n", b"--=_outer--"]))
    hop = world.hop(offers=PLAIN)
    assert only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT)).cls == DELIVERED
    fit(hop.mails[0][2])
    start = SIGNED.index(b"--s\r\n")
    assert SIGNED[start:].replace(b"\xc3\xbc", b"u") in hop.mails[0][2]


def test_the_operator_may_break_dkim_or_convert_nothing(world):
    hop = world.hop(offers=PLAIN)
    relay = world.smart(hop, **{"down-conversion": "always"})
    assert only(relay.deliver(RCPTS, content=DKIM, flags=FLAG_8BIT)).cls == DELIVERED
    assert read(hop.mails[0][2]).get_payload(decode=True) == b"\xc3\xbc\r\n"
    r = only(relay.deliver(RCPTS, content=SIGNED, flags=FLAG_8BIT))
    assert r.cls == NEVER and "signed" in r.text
    relay.reload(down_conversion="never")
    r = only(relay.deliver(RCPTS, content=MIXED, flags=FLAG_8BIT))
    assert (r.cls, r.enhanced) == (NEVER, "5.6.3") and "down-conversion" in r.text


def test_big_ones_by_turns_with_others(world):
    hop = world.hop(offers=PLAIN)
    relay = world.smart(hop)
    body = crlf("\u0416 ".encode() * 30 + b"\n") * 40000
    content = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body
    big = [relay.attempt(RCPTS, content=content, flags=FLAG_8BIT, pieces=7) for _ in range(3)]
    assert only(relay.deliver(RCPTS)).cls == DELIVERED
    assert [only(relay.wait(s)).cls for s in big] == [DELIVERED] * 3
    assert len(hop.mails) == 4
    for mail in [m for m in hop.mails if declared(m) > 1000]:
        fit(mail[2])
        assert declared(mail) == len(mail[2])
        assert read(mail[2]).get_payload(decode=True) == body


def test_bigger_than_the_hop_takes_when_encoded(world):                 # 1870-6
    hop = world.hop(offers=["SIZE 10000"])
    content = HEAD + b"Content-Type: image/x\r\n\r\n" + (b"\xff" * 900 + b"\r\n") * 9
    assert len(content) < 10000
    r = only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT))
    assert (r.cls, r.enhanced) == (NEVER, "5.3.4")


def test_many_recipients_in_several_transactions(world):
    hop = world.hop(offers=PLAIN + ["LIMITS RCPTMAX=2"])
    results = world.smart(hop).deliver(["r%d@next.example" % i for i in range(5)], content=MIXED, flags=FLAG_8BIT)
    assert [r.cls for r in results] == [DELIVERED] * 5
    assert [len(m[1]) for m in hop.mails] == [2, 2, 1] and len({m[2] for m in hop.mails}) == 1
    fit(hop.mails[0][2])


def test_the_hop_goes_while_the_content_is_looked_at(world):
    hop = world.hop({"RCPT TO:<b@": ["DROP"]}, offers=PLAIN)
    relay = world.smart(hop)
    results = relay.deliver(RCPTS, content=MIXED, flags=FLAG_8BIT)
    assert only(results).cls == LATER
    assert only(relay.deliver(RCPTS, content=MIXED, flags=FLAG_8BIT)).cls == DELIVERED


# ---- BINARYMIME (RFC 3030) ----

def binary_message():
    image = bytes(random.Random(3030).randrange(256) for _ in range(5000)) + b"\r\n.\r\n\n.\n\r\0"
    return HEAD + crlf("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_outer\"\nContent-Transfer-Encoding: binary\n\n") + \
        part("Content-Type: image/png; name=image\nContent-Transfer-Encoding: binary\n", image) + \
        part("Content-Type: text/plain; charset=utf-8; name=lines\nContent-Transfer-Encoding: binary\n",
             b"bare LF\n.\nand bare CR\r." + "\u00fc".encode() + b"\n" + b"long " * 400) + \
        part("Content-Type: text/plain; charset=utf-8; name=tame\nContent-Transfer-Encoding: binary\n", "z\u00e4hmbar\r\n".encode()) + \
        b"--=_outer--\r\n"


def test_binary_goes_in_one_chunk_to_who_takes_it(world):               # 3030-1
    hop, content = world.hop(offers=BINARY), binary_message()
    r = only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_BINARY))
    assert r.cls == DELIVERED
    assert hop.mails[0][2] == content and "BODY=BINARYMIME" in hop.mails[0][0]
    assert "BDAT %d LAST" % len(content) in hop.sessions[0].lines and "DATA" not in hop.sessions[0].lines


@pytest.mark.parametrize("offers", [PLAIN, EIGHT, EIGHT + ["CHUNKING"], EIGHT + ["BINARYMIME"]],
                         ids=["nothing", "8bitmime", "chunking", "binarymime-alone"])
def test_binary_is_encoded_for_the_others(world, offers):               # 3030-6, 3030-7
    hop, content = world.hop(offers=offers), binary_message()
    r = only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_BINARY))
    assert r.cls == DELIVERED, r
    mail, = hop.mails
    fit(mail[2], "8BITMIME" in offers)
    assert declared(mail) == len(mail[2]) and "BINARYMIME" not in mail[0] and "DATA" in hop.sessions[0].lines
    want = re.findall(rb"name=\w+\r\nContent-Transfer-Encoding: binary\r\n\r\n(.*?)\r\n--=_outer", content, re.S)
    assert [p for _, _, p in leaves(mail[2])] == want and len(want) == 3
    assert b"Content-Transfer-Encoding: binary" not in mail[2]
    assert ("BODY=8BITMIME" in mail[0]) == ("8BITMIME" in offers)


def test_a_refused_chunk_and_the_next_message(world):                   # 3030-3
    hop = world.hop({"CHUNK": ["554 5.6.0 no", "452 4.3.1 full"]}, offers=BINARY)
    relay = world.smart(hop)
    how = dict(content=binary_message(), flags=FLAG_8BIT | FLAG_BINARY)
    assert (only(relay.deliver(RCPTS, **how)).cls, only(relay.deliver(RCPTS, **how)).cls) == (NEVER, LATER)
    assert only(relay.deliver(RCPTS, **how)).cls == DELIVERED
    assert len(hop.sessions) == 1 and hop.sessions[0].lines.count("RSET") == 2


def test_nobody_accepted_then_no_chunk(world):
    hop = world.hop({"RCPT TO:<no@": "550 5.1.1 nobody"}, offers=BINARY)
    relay = world.smart(hop)
    assert only(relay.deliver(["no@next.example"], content=binary_message(), flags=FLAG_BINARY)).cls == NEVER
    assert not any(line.startswith("BDAT") for line in hop.sessions[0].lines)
    assert only(relay.deliver(RCPTS)).cls == DELIVERED


def test_dots_of_chunks_are_doubled_for_data(world):                    # 3030-6
    hop, content = world.hop(offers=EIGHT), HEAD + b"\r\n.\r\n..\r\n.end\r\n"
    assert only(world.smart(hop).deliver(RCPTS, content=content)).cls == DELIVERED
    assert hop.mails[0][2] == content


@pytest.mark.parametrize("kind,same", [("mixed", False), ("signed", True)])
def test_binary_in_a_maildir_loses_nothing(world, tmp_path, kind, same):       # 3030-7
    relay = world.relay({"relay": "maildir:%s" % (tmp_path / "Maildir")})
    content = binary_message().replace(b"multipart/mixed", b"multipart/" + kind.encode())
    assert only(relay.deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_BINARY)).cls == DELIVERED
    file, = (tmp_path / "Maildir" / "new").iterdir()
    kept = file.read_bytes()
    if same:
        assert kept.endswith(content)
        return
    assert b"\r" not in kept and b"\0" not in kept
    want = re.findall(rb"name=\w+\r\nContent-Transfer-Encoding: binary\r\n\r\n(.*?)\r\n--=_outer", content, re.S)
    *coded, tame = leaves(kept)
    assert [p for _, _, p in coded] == want[:2] and tame[2] == want[2].replace(b"\r\n", b"\n")


# ---- SMTPUTF8 (RFC 6531) ----

def test_asked_for_and_not_needed(world):                               # 6531-3
    hop, content = world.hop(offers=EIGHT), HEAD + crlf("Content-Type: text/plain; charset=utf-8\n\n\u00fc\n")
    assert only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_UTF8)).cls == DELIVERED
    assert hop.mails[0][2] == content and "SMTPUTF8" not in hop.mails[0][0] and "BODY=8BITMIME" in hop.mails[0][0]


def test_body_alone_is_encoded(world):
    hop, content = world.hop(offers=PLAIN), HEAD + crlf("Content-Type: text/plain; charset=utf-8\n\n\u00fc\n")
    assert only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_UTF8)).cls == DELIVERED
    fit(hop.mails[0][2])


@pytest.mark.parametrize("content", [
    crlf("From: a@relay.example\nSubject: \u00fc\n\nx\n"),
    HEAD + crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename=\"\u00fc\"\n\nx\n--b--\n"),
], ids=["header", "part"])
def test_header_that_needs_it(world, content):                          # 6531-6, 6531-7
    hop = world.hop(offers=EIGHT)
    r = only(world.smart(hop).deliver(RCPTS, content=content, flags=FLAG_8BIT | FLAG_UTF8))
    assert (r.cls, r.enhanced) == (NEVER, "5.6.9") and "SMTPUTF8" in r.text and not hop.mails


def test_address_that_needs_it(world):                                  # 6531-6
    hop = world.hop(offers=EIGHT)
    relay = world.smart(hop)
    good, bad = relay.deliver(["b@next.example", "j\u00f6rg@next.example"], flags=FLAG_UTF8)
    assert good.cls == DELIVERED and (bad.cls, bad.enhanced) == (NEVER, "5.6.7") and "SMTPUTF8" in bad.text
    assert hop.mails[0][1] == ["RCPT TO:<b@next.example>"]
    r = only(relay.deliver(RCPTS, sender="j\u00f6rg@relay.example", flags=FLAG_UTF8))
    assert (r.cls, r.enhanced) == (NEVER, "5.6.7") and "sender" in r.text
    assert len(hop.mails) == 1


def test_domain_that_has_another_form(world):                           # 6531-5
    hop = world.hop(offers=EIGHT)
    r = only(world.smart(hop).deliver(["b@b\u00fccher.example"], sender="a@b\u00fccher.example", flags=FLAG_UTF8))
    assert r.cls == DELIVERED
    assert hop.mails[0][0].startswith("MAIL FROM:<a@xn--bcher-kva.example>") and "SMTPUTF8" not in hop.mails[0][0]
    assert hop.mails[0][1] == ["RCPT TO:<b@xn--bcher-kva.example>"]


def test_original_recipient_of_type_utf8(world):                        # 6531-9: RFC 6533 3
    hop = world.hop(offers=EIGHT)
    relay = world.smart(hop)
    orcpt = "utf-8;j\u00f6rg\\x{2B}x@b\u00fccher.example"
    assert only(relay.deliver(RCPTS, orcpt=orcpt, notify=2, flags=FLAG_UTF8)).cls == DELIVERED
    assert hop.mails[0][1] == ["RCPT TO:<b@next.example> NOTIFY=SUCCESS ORCPT=utf-8;j\\x{F6}rg\\x{2B}x@b\\x{FC}cher.example"]
    hop.offers.append("SMTPUTF8")
    relay.reload()
    assert only(relay.deliver(RCPTS, orcpt=orcpt, flags=FLAG_UTF8)).cls == DELIVERED
    assert hop.mails[1][1] == ["RCPT TO:<b@next.example> ORCPT=" + orcpt]


# ---- DSN (RFC 3461) ----

def test_never_and_a_hop_without_dsn(world):                            # 3461-8
    hop = world.hop(offers=["PIPELINING"])
    relay = world.smart(hop, **{"never-without-sender": "yes"})
    assert only(relay.deliver(RCPTS, notify=1, envid="e", ret=1)).cls == DELIVERED
    assert only(relay.deliver(RCPTS, notify=2)).cls == DELIVERED
    assert [m[0] for m in hop.mails] == ["MAIL FROM:<>", "MAIL FROM:<a@relay.example>"]
    hop.offers.append("DSN")
    relay.reload(never_without_sender="yes")
    assert only(relay.deliver(RCPTS, notify=1)).cls == DELIVERED
    assert hop.mails[2][0] == "MAIL FROM:<a@relay.example>" and hop.mails[2][1] == ["RCPT TO:<b@next.example> NOTIFY=NEVER"]
    hop.offers.remove("DSN")
    relay.reload(never_without_sender="no")
    assert only(relay.deliver(RCPTS, notify=1)).cls == DELIVERED
    assert hop.mails[3][0] == "MAIL FROM:<a@relay.example>" and hop.mails[3][1] == ["RCPT TO:<b@next.example>"]
