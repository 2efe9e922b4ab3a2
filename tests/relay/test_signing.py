"""5_relay and a 2_signer that answers late, wrongly, or never."""
import base64
import pathlib
import re
import struct
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from peers import DELIVERED, DKIM, FLAG_8BIT, FLAG_BINARY, LATER, SIGN_DKIM_ANSWER, SIGN_DKIM_ASK, Hop, Relay, text, u32
from dkim_verify import by_dkimpy, signatures

ED25519 = 2
LETTER = b"From: a@sender.example\r\nSubject: x\r\n\r\nhello\r\n"
KEY = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
DNS = {"s._domainkey.sender.example": "v=DKIM1; k=ed25519; p=" + PUBLIC}


def question(channel, patience=10):
    kind, session, body = channel.receive(patience)
    assert kind == SIGN_DKIM_ASK
    algorithm, n = struct.unpack("<II", body[:8])
    domain, rest = body[8:8 + n].decode(), body[8 + n:]
    n, = struct.unpack("<I", rest[:4])
    selector, digest = rest[4:4 + n].decode(), rest[8 + n:]
    assert len(digest) == 32
    return session, algorithm, domain, selector, digest


def answer(channel, session, digest=None, fail=0):
    channel.send(SIGN_DKIM_ANSWER, session, u32(fail) + text(KEY.sign(digest) if digest else b""))


def fail_number(name):
    """enum fail, as src/base/fail.h has it."""
    header = (pathlib.Path(__file__).resolve().parents[2] / "src/base/fail.h").read_text()
    return re.findall(r"^\t(OK|FAIL_[A-Z0-9_]+)", header.split("enum fail {")[1], re.M).index(name)


@pytest.fixture
def start():
    made = []

    def begin(hop, keys=(("sender.example", "s", ED25519),), **conf):
        one = Relay(dict({"relay": f"smtp://127.0.0.1:{hop.port}"}, **conf))
        made.append(one)
        one.stage_dkim(keys)
        one.new_signer()
        one.reload()
        return one

    yield begin
    for one in made:
        said = one.stop()
        assert "Sanitizer" not in said and "Assertion" not in said, said


def test_what_the_signer_gives_goes_in_front(start):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER, sender="a@sender.example")
    number, algorithm, domain, selector, digest = question(relay.signer)
    assert (number, algorithm, domain, selector) == (1, ED25519, "sender.example", "s")
    time.sleep(0.2)
    assert not any("MAIL" in line for s in hop.sessions for line in s.lines), "not before it is signed"
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED
    content = hop.mails[0][2]
    assert content.endswith(LETTER) and [a for a, _, _ in signatures(content)] == ["ed25519-sha256"]
    assert by_dkimpy(content, DNS)


WIDE = ["PIPELINING", "SIZE 50000000", "8BITMIME", "CHUNKING", "BINARYMIME"]


@pytest.mark.parametrize("offers, sent", [(WIDE, "binary"), (WIDE[:3], "base64"), (WIDE[:2], "base64")], ids=["binary", "8bit", "7bit"])
def test_what_is_sent_is_signed(start, offers, sent):
    """RFC 3030 and RFC 6152: the digest is of what this hop gets, and SIZE and BDAT count the signature.
    No CR and LF of their own: dkimpy makes CRLF of them before it looks."""
    hop = Hop(offers=offers)
    relay = start(hop)
    content = (b"From: a@sender.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(c for c in range(256) if c not in b"\r\n") * 800 + b"\r\n")
    session = relay.attempt(["b@x.example"], content=content, sender="a@sender.example", flags=FLAG_8BIT | FLAG_BINARY)
    number, _, _, _, digest = question(relay.signer)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED
    envelope, _, mail = hop.mails[0]
    assert by_dkimpy(mail, DNS)
    assert int(re.search(r"SIZE=(\d+)", envelope).group(1)) == len(mail)
    assert b"Content-Transfer-Encoding: " + sent.encode() in mail
    if sent == "binary":
        assert mail.endswith(content) and f"BDAT {len(mail)} LAST" in hop.sessions[0].lines


@pytest.mark.parametrize("name, words", [("FAIL_BUSY", "too much to do"), ("FAIL_LOCAL", "does not have the key")])
def test_what_the_signer_refuses_waits(start, name, words):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER)
    number, *_ = question(relay.signer)
    answer(relay.signer, number, fail=fail_number(name))
    result = relay.wait(session)[0]
    assert result.cls == LATER and words in result.text and result.enhanced == "4.3.0" and not hop.mails
    # The connection is there for others, and the same message is asked about again.
    session = relay.attempt(["b@x.example"], content=LETTER)
    number, *_, digest = question(relay.signer)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and len(hop.sessions) == 1


def test_the_next_signer_is_asked_what_the_last_one_owes(start):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER)
    question(relay.signer)
    relay.signer.sock.close()
    time.sleep(0.2)
    number, *_, digest = question(relay.new_signer())
    assert number == 1
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and by_dkimpy(hop.mails[0][2], DNS)


@pytest.mark.parametrize("body, number", [(b"nonsense", 1), (u32(0) + text(b""), 1), (u32(0) + text(b"x" * 64), 2),
                                          (u32(0) + text(b"x" * 600), 1)])
def test_a_broken_signer_is_heard_no_longer(start, body, number):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER)
    question(relay.signer)
    relay.signer.send(SIGN_DKIM_ANSWER, number, body)
    with pytest.raises(EOFError):
        relay.signer.receive(5)
    number, *_, digest = question(relay.new_signer())
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED


def test_few_questions_wait_at_a_time(start):
    hop = Hop()
    relay = start(hop, keys=(("sender.example", "r", 1), ("sender.example", "s", ED25519)))
    # As many connections as there are at first, each with a message that wants two signatures.
    sessions = [relay.attempt(["b@x.example"], content=LETTER, queue_id=(7 + i) << 18) for i in range(5)]
    asked = [question(relay.signer) for _ in range(8)]
    with pytest.raises(TimeoutError):
        question(relay.signer, 0.5)
    for i in range(10):
        if i >= len(asked):
            asked.append(question(relay.signer))
        answer(relay.signer, asked[i][0], asked[i][-1])
    assert [a[0] for a in asked] == list(range(1, 11)) and [a[1] for a in asked].count(ED25519) == 5
    assert all(relay.wait(s)[0].cls == DELIVERED for s in sessions) and len(hop.mails) == 5
    for _, _, content in hop.mails:
        assert by_dkimpy(signatures(content)[1][2], DNS)


def test_the_same_message_is_asked_about_once(start):
    hop = Hop()
    relay = start(hop, **{"relay-concurrency": "20"})
    extents = relay.store(LETTER)
    sessions = [relay.attempt(["b@x.example"], content=LETTER, extents=extents) for _ in range(10)]
    number, *_, digest = question(relay.signer)
    answer(relay.signer, number, digest)
    assert all(relay.wait(s)[0].cls == DELIVERED for s in sessions)
    sessions = [relay.attempt(["b@x.example"], content=LETTER, extents=extents)]
    assert relay.wait(sessions[0])[0].cls == DELIVERED
    assert len({m[2] for m in hop.mails}) == 1 and len(hop.mails) == 11


def test_what_waits_may_go_away(start):
    hop = Hop()
    relay = start(hop)
    relay.attempt(["b@x.example"], content=LETTER)
    number, *_, digest = question(relay.signer)
    relay.new_spool()                       # its attempts are forgotten, and with them what is asked
    time.sleep(0.3)
    answer(relay.signer, number, digest)
    session = relay.attempt(["b@x.example"], content=LETTER, queue_id=9 << 18)
    number, *_, digest = question(relay.signer)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and len(hop.mails) == 1


def test_a_next_hop_that_leaves_meanwhile(start):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER)
    number, *_, digest = question(relay.signer)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED
    session = relay.attempt(["b@x.example"], content=LETTER, queue_id=9 << 18)
    number, *_, digest = question(relay.signer)
    # A kept connection says that it goes, and goes, while the message is being signed: another one carries it.
    hop.sessions[0].socket.sendall(b"421 4.4.2 idle for too long\r\n")
    hop.sessions[0].socket.shutdown(2)
    time.sleep(0.2)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and len(hop.sessions) == 2 and by_dkimpy(hop.mails[1][2], DNS)


def test_a_reload_and_a_drain_while_signing(start):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER)
    number, *_, digest = question(relay.signer)
    relay.master.send(DKIM, 0, u32(0) + u32(0) + u32(0) + text("") + text("") + text(""))
    relay.reload()
    time.sleep(0.2)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and by_dkimpy(hop.mails[0][2], DNS), "what was begun is signed"
    session = relay.attempt(["b@x.example"], content=LETTER, queue_id=9 << 18)
    assert relay.wait(session)[0].cls == DELIVERED and not signatures(hop.mails[1][2])
    relay.stage_dkim([("sender.example", "s", ED25519)])
    relay.reload()
    session = relay.attempt(["b@x.example"], content=LETTER, queue_id=10 << 18)
    number, *_, digest = question(relay.signer)
    relay.master.send(9)
    time.sleep(0.2)
    answer(relay.signer, number, digest)
    assert relay.wait(session)[0].cls == DELIVERED and len(hop.mails) == 3


def test_a_message_that_cannot_be_read_waits(start):
    hop = Hop()
    relay = start(hop)
    session = relay.attempt(["b@x.example"], content=LETTER, extents=struct.pack("<QQI", 999, 12, len(LETTER)))
    result = relay.wait(session)[0]
    assert result.cls == LATER and "could not be read" in result.text
    huge = b"From: a@sender.example\r\n" + (b"X: " + b"y" * 900 + b"\r\n") * 320 + b"\r\nbody\r\n"
    result = relay.wait(relay.attempt(["b@x.example"], content=huge, queue_id=9 << 18))[0]
    assert result.cls == LATER and "header is longer" in result.text and not hop.mails
