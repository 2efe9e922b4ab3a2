"""Replies to EXPN and VRFY that give nothing away (RFC 5321 3.5.3, 7.3; RFC 3463 3.8)."""
import json

import pytest
from postern_server import postern
from zoo import Animal, Habits

TELLS = {
    ("expn", "252 2.1.5 cannot expand"): False, ("expn", "250 2.1.5 <alice@example.org>"): True,
    ("vrfy", "550 5.7.1 VRFY is not for you"): False, ("vrfy", "550 5.1.1 no such user"): True,
}


@pytest.mark.parametrize(("verb", "reply"), TELLS)
def test_tells(papers, verb, reply):
    chain, key = papers.issue("good")
    with Animal(Habits(chain=chain, key=key, **{f"{verb}_reply": reply})) as animal:
        done = postern("audit", "--json", "--timeout", "2", "--ca-file", papers.ca, animal.target, timeout=60)
    endpoint, = json.loads(done.stdout)["targets"][0]["endpoints"]
    assert (verb in [f["id"] for f in endpoint["findings"]]) == TELLS[verb, reply]
