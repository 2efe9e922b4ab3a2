"""Each mechanism that a client and we both know (4616-1, login-1, scram-1, 4954-17)."""
import pytest

from gate import gate  # noqa: F401
from letters import letter
from mailers import TABLE, builtin, missing

CASES = [(name, mechanism) for name, client in TABLE.items() for mechanism in client.mechanisms]


@pytest.mark.parametrize("service", ["submissions", "submission"])
@pytest.mark.parametrize("name,mechanism", CASES, ids=["-".join(c) for c in CASES])
def test_mechanism(gate, name, mechanism, service):  # noqa: F811
    if missing(name):
        pytest.skip(missing(name))
    if not builtin(name, mechanism):
        pytest.skip(f"this {name} was built without {mechanism}")
    sent, seen = letter(), len(gate.server.events("authenticated", mechanism=mechanism))
    done = TABLE[name].submit(gate.door(service, mechanism=mechanism), sent)
    assert done.status == 0, done.words
    assert gate.arrived(sent)[1] == done.sent
    assert len(gate.server.events("authenticated", mechanism=mechanism)) == seen + 1


@pytest.mark.parametrize("service", ["submissions", "submission"])
def test_our_own_client_takes_the_best(gate, service):  # noqa: F811
    """scram-9, scram-11: SCRAM bound to the channel, without being asked."""
    sent = letter()
    done = TABLE["postern"].submit(gate.door(service), sent)
    assert done.status == 0 and "SCRAM-SHA-256-PLUS" in done.words
    assert gate.arrived(sent)[1] == sent.whole


@pytest.mark.parametrize("name", [name for name in TABLE if name != "postern"])
def test_key_by_its_device(gate, name):  # noqa: F811
    """alice/first is as good a login as alice."""
    if missing(name):
        pytest.skip(missing(name))
    sent = letter()
    done = TABLE[name].submit(gate.door(login="alice/first"), sent)
    assert done.status == 0, done.words
    assert gate.arrived(sent)[1] == done.sent
