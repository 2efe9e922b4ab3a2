"""A front that has all the sessions it may have says so where it can be read, and goes on with those it has. 5321-25 5321-24."""
import socket


def test_one_too_many_hears_421(make_server):
    server = make_server(config="sessions-max = 1\nfronts = 1\n").start()
    with socket.create_connection(("127.0.0.1", server.submission), 10) as first:
        talk = first.makefile("rwb", buffering=0)
        assert talk.readline().startswith(b"220 ")
        with socket.create_connection(("127.0.0.1", server.submission), 10) as second:
            assert second.makefile("rb").read().startswith(b"421 ")
        with socket.create_connection(("127.0.0.1", server.submissions), 10) as tls:
            assert tls.recv(100) == b""
        talk.write(b"NOOP\r\n")
        assert talk.readline().startswith(b"250 ")
