"""Milters for the tests: one that speaks the protocol itself and does as it is told, well or badly."""
import socket
import struct
import threading
import time

SKIP, LEADING_SPACE = 0x400, 0x100000
ACTIONS = 0x1ff


def packet(command, data=b""):
    return struct.pack(">I", 1 + len(data)) + command + data


def add(name, value):
    return packet(b"h", name + b"\0" + value + b"\0")


def insert(index, name, value):
    return packet(b"i", struct.pack(">I", index) + name + b"\0" + value + b"\0")


def change(index, name, value):
    return packet(b"m", struct.pack(">I", index) + name + b"\0" + value + b"\0")


def body(octets):
    return b"".join(packet(b"b", octets[i:i + 65535]) for i in range(0, len(octets), 65535))


def reply(text):
    return packet(b"y", text + b"\0")


class Hangup(Exception):
    pass


class Milter:
    """Listens until closed. answers: {command: octets} instead of "go on"; end: what it says at the end of a message, or a
    function of what it has seen of it; each connection is a list of (command, data) in seen, macros a dictionary of what it was told."""

    def __init__(self, path=None, answers=None, end=b"", protocol=0, actions=ACTIONS, version=6, symbols=b"", host="127.0.0.1", backlog=64):
        self.answers, self.end, self.protocol, self.actions = answers or {}, end, protocol, actions
        self.version, self.symbols = version, symbols
        self.seen, self.macros, self.threads = [], {}, []
        self.lock, self.talking, self.most = threading.Lock(), 0, 0
        if path is None:
            self.socket = socket.socket()
            self.socket.bind((host, 0))
            self.place = f"inet:{host}:{self.socket.getsockname()[1]}"
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
            self.place = f"unix:{path}"
        self.socket.listen(backlog)
        self.open = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                time.sleep(self.answers.get("accept", 0))
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.talk, args=(connection, ), daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def receive(self, connection, count):
        got = b""
        while len(got) < count:
            more = connection.recv(min(1 << 16, count - len(got)))
            if not more:
                raise Hangup
            got += more
        return got

    def silent(self, command):
        bits = {b"C": 0x1000, b"H": 0x2000, b"M": 0x4000, b"R": 0x8000, b"T": 0x10000, b"L": 0x80, b"N": 0x40000, b"B": 0x80000}
        return bool(self.protocol & bits.get(command, 0))

    def answer(self, command, data, seen):
        if command in self.answers:
            said = self.answers[command]
            return said(data, seen) if callable(said) else said
        if command == b"E":
            begin = max(i for i, (c, _) in enumerate(seen) if c == b"M")
            said = self.end(seen[begin:]) if callable(self.end) else self.end
            return said if said[-5:-1] == b"\0\0\0\1" and said[-1:] in b"acdrt" else said + packet(b"c")
        return packet(b"c")

    def talk(self, connection):
        seen = []
        self.seen.append(seen)
        with self.lock:
            self.talking += 1
            self.most = max(self.most, self.talking)
        try:
            while True:
                length, = struct.unpack(">I", self.receive(connection, 4))
                data = self.receive(connection, length)
                command, data = data[:1], data[1:]
                if command == b"D":
                    words = data[1:].split(b"\0")
                    self.macros.update(zip(words[::2], words[1::2]))
                    continue
                seen.append((command, data))
                if command == b"O":
                    said = self.answer(command, data, seen) if command in self.answers else \
                        packet(b"O", struct.pack(">III", self.version, self.actions, self.protocol) + self.symbols)
                elif command in b"AQK":
                    continue
                elif self.silent(command) and command not in self.answers:
                    continue
                else:
                    said = self.answer(command, data, seen)
                if said is None:
                    raise Hangup
                connection.sendall(said)
        except (Hangup, OSError):
            with self.lock:
                self.talking -= 1
            connection.close()

    # ---- what it has seen, of the last message ----

    def of(self, command):
        return [data for seen in self.seen for c, data in seen if c == command]

    def headers(self):
        return [tuple(data.split(b"\0")[:2]) for data in self.of(b"L")]

    def content(self):
        return b"".join(self.of(b"B"))
