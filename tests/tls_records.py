"""A client of TLS that writes any record it likes: its own half of the record layer, behind a handshake that Python's ssl made."""
import hashlib
import hmac
import pathlib
import socket
import ssl
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

ALERT, HANDSHAKE, DATA = 21, 22, 23
KEY_UPDATE = b"\x18\0\0\1"
_SUITES = {"TLS_AES_256_GCM_SHA384": ("sha384", 32, AESGCM), "TLS_AES_128_GCM_SHA256": ("sha256", 16, AESGCM),
           "TLS_CHACHA20_POLY1305_SHA256": ("sha256", 32, ChaCha20Poly1305),
           "ECDHE-ECDSA-AES128-GCM-SHA256": ("sha256", 16, AESGCM), "ECDHE-ECDSA-AES256-GCM-SHA384": ("sha384", 32, AESGCM)}


def _expand(digest, secret, label, length):
    """HKDF-Expand-Label with an empty context (RFC 8446 7.1); our labels need one block."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0\1"
    return hmac.digest(secret, info, digest)[:length]


def _prf(digest, secret, label, seed, length):
    """RFC 5246 5."""
    seed, out = label + seed, b""
    a = seed
    while len(out) < length:
        a = hmac.digest(secret, a, digest)
        out += hmac.digest(secret, a + seed, digest)
    return out[:length]


class Records:
    """A connection whose handshake is over. record() and key_update() make octets, tcp sends them, replies() reads what came back.

    From the first record on nothing may be written through the ssl module: it counts its own.
    """

    def __init__(self, host, port, starttls=False, version=ssl.TLSVersion.TLSv1_3, window=None):
        self.tcp = socket.socket()
        if window is not None:
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.tcp.settimeout(20)
        self.tcp.connect((host, port))
        if starttls:
            for line in (b"", b"EHLO records\r\n", b"STARTTLS\r\n"):
                self.tcp.sendall(line)
                assert self.tcp.recv(2000)[:1] == b"2"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        with tempfile.TemporaryDirectory() as folder:
            context.keylog_filename = f"{folder}/keys"
            self._shake(context)
            keys = dict((line.split()[0], line.split()[1:]) for line in pathlib.Path(folder, "keys").read_text().splitlines()
                        if not line.startswith("#"))
        self.digest, self.key_length, self.aead = _SUITES[self.tls.cipher()[0]]
        self.old = version == ssl.TLSVersion.TLSv1_2
        if self.old:
            self._keys_1_2(*map(bytes.fromhex, keys["CLIENT_RANDOM"]))
        else:
            self._keys_1_3(bytes.fromhex(keys["CLIENT_TRAFFIC_SECRET_0"][1]))

    def _shake(self, context):
        self._in, out, first = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
        self.tls = context.wrap_bio(self._in, out)
        while True:
            try:
                self.tls.do_handshake()
                self.tcp.sendall(out.read())
                break
            except ssl.SSLWantReadError:
                self.tcp.sendall(out.read())
                octets = self.tcp.recv(65536)
                assert octets, "the handshake was refused"
                first += octets
                self._in.write(octets)
        # Of TLS 1.2 the server's random is needed: behind the headers and the version of its first message.
        self.server_random = first[11:43]

    def _keys_1_3(self, secret):
        self.secret, self.sequence = secret, 0
        self.iv = _expand(self.digest, secret, b"iv", 12)
        self.cipher = self.aead(_expand(self.digest, secret, b"key", self.key_length))

    def _keys_1_2(self, client_random, master):
        block = _prf(self.digest, master, b"key expansion", self.server_random + client_random, 2 * self.key_length + 8)
        self.iv, self.cipher, self.sequence = block[2 * self.key_length:][:4], self.aead(block[:self.key_length]), 1

    def record(self, kind, octets):
        """One record of this content type."""
        number = self.sequence.to_bytes(8, "big")
        self.sequence += 1
        if self.old:
            head = bytes([kind, 3, 3])
            sealed = number + self.cipher.encrypt(self.iv + number, octets, number + head + len(octets).to_bytes(2, "big"))
            return head + len(sealed).to_bytes(2, "big") + sealed
        nonce = bytes(a ^ b for a, b in zip(self.iv, bytes(4) + number))
        head = b"\x17\3\3" + (len(octets) + 17).to_bytes(2, "big")
        return head + self.cipher.encrypt(nonce, octets + bytes([kind]), head)

    def data(self, octets):
        return self.record(DATA, octets)

    def key_update(self, requested=False):
        """RFC 8446 4.6.3; what follows has the next keys."""
        made = self.record(HANDSHAKE, KEY_UPDATE + bytes([requested]))
        self._keys_1_3(_expand(self.digest, self.secret, b"traffic upd", len(self.secret)))
        return made

    def replies(self, until=b"\r\n", patience=20):
        """What the server says, until that has come or it has ended. Raises what ssl raises at an alert."""
        said = b""
        self.tcp.settimeout(patience)
        while until not in said:
            try:
                piece = self.tls.read(65536)
            except ssl.SSLWantReadError:
                octets = self.tcp.recv(65536)
                if octets:
                    self._in.write(octets)
                else:
                    self._in.write_eof()
                continue
            except ssl.SSLEOFError:
                return said
            if not piece:
                return said
            said += piece
        return said

    def ended(self, patience=20):
        """Wait for the server to hang up; nothing it says counts."""
        self.tcp.settimeout(patience)
        try:
            while self.tcp.recv(65536):
                pass
        except ConnectionError:
            pass

    def close(self):
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
