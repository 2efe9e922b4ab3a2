"""Connections from a proxy's address that never say for whom they come hold nobody's place."""
import socket

from postern_server import eventually

HEADER = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton("192.0.2.77") + socket.inet_aton("127.0.0.1") + b"\x9c\x40\x01\xd1"
CONFIG = 'fronts = 1\nproxy = { "127.0.0.9" }\nsessions-max = 20\n'


def connect(one, address):
    return socket.create_connection((one.host, one.submission), 20, (address, 0))


def greeting(tcp):
    return tcp.recv(500)


def test_they_make_room(make_server):
    one = make_server(config=CONFIG).start()
    silent = [connect(one, "127.0.0.9") for _ in range(30)]
    for n in range(10):
        with connect(one, f"127.0.1.{n + 1}") as tcp:
            assert greeting(tcp).startswith(b"220 ")
    # The oldest went first, and no more than sessions-max were ever in.
    silent[0].settimeout(20)
    assert greeting(silent[0]) in (b"", b"421 mail.example.org too many connections, try again later\r\n")
    assert one.await_event("crowded", peer="127.0.0.9")["change"]
    for tcp in silent:
        tcp.close()
    assert one.stop() == 0


def test_who_says_it_is_not_disturbed(make_server):
    """Ceilings of one network are not the proxy's; behind the header they are its clients'."""
    one = make_server(config=CONFIG + "unauthenticated-per-address = 2\nunauthenticated-max = 10\n").start()
    waiting = [connect(one, "127.0.0.9") for _ in range(8)]
    said = []
    for tcp in waiting[:2]:
        tcp.sendall(HEADER)
        assert greeting(tcp).startswith(b"220 ")
    waiting[2].sendall(HEADER)
    assert greeting(waiting[2]).startswith(b"421 mail.example.org too many connections from 192.0.2.77")
    # Who is behind it counts where it comes from, and no more as the proxy.
    for n, tcp in enumerate(waiting[3:]):
        tcp.sendall(HEADER.replace(socket.inet_aton("192.0.2.77"), socket.inet_aton(f"192.0.2.{n + 1}")))
        said.append(greeting(tcp))
    assert all(line.startswith(b"220 ") for line in said)
    for tcp in waiting:
        tcp.close()

    def empty():
        with connect(one, "127.0.0.9") as tcp:
            tcp.sendall(HEADER)
            return greeting(tcp).startswith(b"220 ")

    eventually(empty, "room for the first client again")
    assert one.stop() == 0
