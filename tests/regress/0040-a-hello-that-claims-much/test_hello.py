"""Nine octets that announce a ClientHello of 128 KiB must not make the front set so much memory aside."""
import socket
import struct

HELLO_LENGTH = 131000
COUNT = 40


def claim(length):
    """The header of a full record, that of a ClientHello of this length, and nothing more."""
    return b"\x16\x03\x01" + struct.pack("!H", 16384) + b"\x01" + struct.pack("!I", length)[1:]


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def connect(one):
    return socket.create_connection((one.host, one.submissions), 20)


def test_a_claim_costs_nothing(make_server):
    one = make_server(config="fronts = 1\n").start()
    assert one.served_leaf()
    front = one.children()["front:0"]
    before = resident(front)
    waiting = []
    for _ in range(COUNT):
        tcp = connect(one)
        # In two pieces: the claim is seen however it is cut.
        tcp.sendall(claim(HELLO_LENGTH)[:7])
        waiting.append(tcp)
    for tcp in waiting:
        tcp.sendall(claim(HELLO_LENGTH)[7:])
        tcp.settimeout(10)
        while tcp.recv(100):
            pass
    assert resident(front) - before < COUNT * 64 * 1024
    assert "ClientHello" in one.await_event("handshake-failed")["why"]
    # A big one that is still a hello is heard: the server goes on waiting for its rest.
    with connect(one) as tcp:
        tcp.sendall(claim(12000))
        tcp.settimeout(1)
        try:
            assert tcp.recv(100) == b"no answer yet"
        except socket.timeout:
            pass
    assert one.served_leaf()
    assert one.stop() == 0
