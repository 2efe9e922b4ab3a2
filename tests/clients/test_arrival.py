"""What a client sends is what arrives, octet for octet, on both ports (5321-40, 5321-44, 5322-9, 8314-1, 8314-2)."""
import os
import re

import pytest

import letters
from gate import gate  # noqa: F401
from mailers import TABLE, missing

CASES = [(name, letter) for name, client in TABLE.items() for letter in client.letters()]


def same(arrived, sent):
    """pytest would take minutes to compare what is long, and so this says where they part."""
    at = len(os.path.commonprefix([arrived, sent]))
    assert at == len(arrived) == len(sent), f"at {at}: arrived {arrived[at - 60:at + 60]!r}, sent {sent[at - 60:at + 60]!r}"


@pytest.mark.parametrize("service", ["submissions", "submission"])
@pytest.mark.parametrize("name,kind", CASES, ids=["-".join(c) for c in CASES])
def test_what_arrives_is_what_was_sent(gate, name, kind, service):  # noqa: F811
    if missing(name):
        pytest.skip(missing(name))
    sent = letters.ALL[kind]()
    done = TABLE[name].submit(gate.door(service), sent)
    assert done.status == 0, done.words
    trace, rest = gate.arrived(sent)
    same(rest, done.sent)
    same(rest.partition(b"\n\n")[2], sent.whole.partition(b"\n\n")[2])
    assert trace["path"].decode() == sent.sender
    assert re.findall(r"^Delivered-To: (.*)$", trace["to"].decode(), re.M) == done.rcpts
    assert sorted(done.rcpts) == sorted(sent.rcpts)
    assert len(gate.find(sent.mark)) == 1
