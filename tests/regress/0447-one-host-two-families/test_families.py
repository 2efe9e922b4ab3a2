"""What a host says at one address is not made doubtful by another address of its that cannot be reached."""
import pytest

from peers import A, LATER, MX, NEVER, World, only

NO = {"GREETING": "554 5.7.1 not you"}


@pytest.fixture
def beds():
    one = World()
    yield one
    one.close()


def deliver(beds, hosts, addresses):
    hops = [beds.hop(NO, address=address) for address in addresses[:1]]
    hops += [beds.hop(NO, address=address, port=hops[0].port) for address in addresses[1:]]
    names = {("one.example", MX): [(10 * i, name) for i, name in enumerate(hosts, 1)]}
    names.update({(name, A): at for name, at in hosts.items()})
    relay = beds.relay({"relay": "mx", "relay-port": hops[0].port, "dns-server": beds.dns(names).server})
    return only(relay.deliver(["b@one.example"], destination="one.example"))


# Nobody listens at 127.0.0.6: it stands for the family that this machine has not.
@pytest.mark.parametrize("addresses", [["127.0.0.6", "127.0.0.2"], ["127.0.0.2", "127.0.0.6"]])
def test_one_address_has_said_it(beds, addresses):
    got = deliver(beds, {"mx.one.example": addresses}, ["127.0.0.2"])
    assert (got.cls, got.code, got.enhanced) == (NEVER, 554, "5.7.1"), got
    assert got.host.startswith("mx.one.example [127.0.0.2]") and got.text.endswith("not you")


def test_each_of_two_hosts_has_said_it(beds):
    got = deliver(beds, {"a.one.example": ["127.0.0.6", "127.0.0.2"], "b.one.example": ["127.0.0.3", "127.0.0.7"]},
                  ["127.0.0.2", "127.0.0.3"])
    assert got.cls == NEVER and got.host.startswith("b.one.example [127.0.0.3]"), got


def test_another_host_may_be_of_another_mind(beds):
    got = deliver(beds, {"a.one.example": ["127.0.0.2"], "b.one.example": ["127.0.0.6"]}, ["127.0.0.2"])
    assert got.cls == LATER and "cannot connect" in got.text, got
