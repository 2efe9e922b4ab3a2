"""Servers for tests to derive theirs from: a thread for each connection, on loopback, until closed."""
import socket
import threading


class Listener:
    """serve(socket) has a connection to itself, in a thread of its own."""

    def __init__(self, address="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.begin(s)

    def begin(self, *arguments):
        threading.Thread(target=self.serve, args=arguments, daemon=True).start()

    def close(self):
        # shutdown() wakes accept(), which close() alone does not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class HttpsServer(Listener):
    """One request each connection: answer(lines, body) is what is said to it. asked: the lines of the requests."""

    def __init__(self, context, *place):
        self.context, self.asked = context, []
        super().__init__(*place)

    def serve(self, s):
        try:
            s.settimeout(10)
            s = self.context.wrap_socket(s, server_side=True)
            said = self.answer(*self.request(s))
            s.sendall(said)
            s.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            s.close()

    @staticmethod
    def request(s):
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += received(s)
        head, _, body = octets.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        length = int(header(lines, "content-length", "0"))
        while len(body) < length:
            body += received(s)
        return lines, body


def received(s):
    octets = s.recv(65536)
    if not octets:
        raise ConnectionError("closed in the middle of a request")
    return octets


def header(lines, name, otherwise=None):
    """The value of a request's header field; otherwise: there is none."""
    return next((line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith(name + ":")), otherwise)


def response(status, body=b"", more=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body
