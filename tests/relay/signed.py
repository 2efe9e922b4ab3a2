"""Zones with DNSSEC, signed as they are asked for (RFC 4034, 4035; ECDSA P-256 with SHA-256, RFC 6605).

A zone's denial of existence is an NSEC that covers nothing but the name asked for (RFC 4470 3 taken to its end): every name
seems to exist, and to lack the type.
"""
import base64
import struct
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from peers import CNAME, Dns, wire

SOA, TXT, OPT, RRSIG, NSEC, DNSKEY, TLSA = 6, 16, 41, 46, 47, 48, 52
ALGORITHM, DAY = 13, 86400


class Zone:
    """One key that signs everything, and the trust anchor for it."""

    def __init__(self, name):
        self.name, self.key = name.lower(), ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        self.dnskey = struct.pack(">HBB", 257, 3, ALGORITHM) + point
        total = sum(b if i & 1 else b << 8 for i, b in enumerate(self.dnskey))
        self.tag = (total + (total >> 16)) & 0xffff

    def anchor(self, folder):
        """A file for the setting dns-trust-anchor."""
        path = folder / (self.name + ".key")
        path.write_text("%s. IN DNSKEY 257 3 %d %s\n" % (self.name, ALGORITHM, base64.b64encode(self.dnskey[4:]).decode()))
        return str(path)

    def has(self, name):
        return name == self.name or name.endswith("." + self.name)

    def signature(self, owner, kind, datas, ttl, spoil):
        begin, end = time.time() - DAY, time.time() + DAY
        if spoil == "expired":
            begin, end = begin - 9 * DAY, end - 9 * DAY
        head = struct.pack(">HBBIIIH", kind, ALGORITHM, len(owner.split(".")), ttl, int(end), int(begin), self.tag) + wire(self.name)
        text = head + b"".join(wire(owner) + struct.pack(">HHIH", kind, 1, ttl, len(d)) + d for d in sorted(datas))
        r, s = utils.decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        if spoil == "bogus":
            s ^= 1
        return head + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def types_bitmap(kinds):
    bits = bytearray(32)
    for k in kinds:
        bits[k >> 3] |= 0x80 >> (k & 7)
    while bits and not bits[-1]:
        bits.pop()
    return bytes([0, len(bits)]) + bytes(bits)


class SignedDns(Dns):
    """As Dns, with zones that are signed. spoil: {("name", type): "expired" | "bogus" | "unsigned"} for what is not as it should be."""

    def __init__(self, records, zones=(), spoil=None, ttl=300):
        self.zones, self.spoil, self.ttl = list(zones), dict(spoil or {}), ttl
        super().__init__(records)

    def zone_of(self, name):
        return next((z for z in self.zones if z.has(name)), None)

    def rdata(self, kind, value):
        if kind == TXT:
            octets = value.encode()
            return b"".join(bytes([len(octets[i:i + 255])]) + octets[i:i + 255] for i in range(0, len(octets), 255))
        if kind == TLSA:
            return bytes(value[:3]) + value[3]
        return value if isinstance(value, bytes) else super().rdata(kind, value)

    def group(self, owner, kind, datas):
        """A set of records with its signature; how many, and their octets."""
        zone, spoil, ttl = self.zone_of(owner), self.spoil.get((owner, kind)), self.ttl
        out = [(kind, d) for d in datas]
        if zone is not None and spoil != "unsigned":
            out.append((RRSIG, zone.signature(owner, kind, datas, ttl, spoil)))
        return len(out), b"".join(wire(owner) + struct.pack(">HHIH", k, 1, ttl, len(d)) + d for k, d in out)

    def denial(self, name, kind):
        """What proves that the name lacks the type: SOA and NSEC."""
        zone = self.zone_of(name)
        if zone is None:
            return 0, b""
        there = [k for n, k in self.records if n == name] + [RRSIG, NSEC] + ([SOA, DNSKEY] if name == zone.name else [])
        soa = wire("ns." + zone.name) + wire("postmaster." + zone.name) + struct.pack(">5I", 1, 3600, 600, 86400, 5)
        one, a = self.group(zone.name, SOA, [soa])
        two, b = self.group(name, NSEC, [b"\x01\x00" + wire(name) + types_bitmap(k for k in there if k != kind)])
        return one + two, a + b

    def find(self, name, kind):
        """[(owner, type, [rdata])] along the aliases, and the name at their end."""
        zone, found = self.zone_of(name), []
        if zone is not None and name == zone.name and kind == DNSKEY:
            return [(name, DNSKEY, [zone.dnskey])], None
        if (name, CNAME) in self.records and kind != CNAME:
            target = self.records[(name, CNAME)][0]
            found.append((name, CNAME, [wire(target)]))
            name = target
        values = self.records.get((name, kind))
        if isinstance(values, list) and values:
            return found + [(name, kind, [self.rdata(kind, v) for v in values])], None
        return found, name

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        name, question = ".".join(labels), query[12:at + 5]
        self.asked.append((name, kind))
        said = self.records.get((name, kind))
        if said == "SILENCE":
            return None
        opt = b"\0" + struct.pack(">HHIH", OPT, 1232, 0x8000, 0)
        if said == "SERVFAIL":
            return query[:2] + struct.pack(">HHHHH", 0x8182, 1, 0, 0, 1) + question + opt
        groups, missing = self.find(name, kind)
        exists = self.zone_of(name) is not None or any(n == name for n, _ in self.records)
        answers = [self.group(*g) for g in groups]
        denied, proof = self.denial(missing, kind) if missing is not None else (0, b"")
        head = struct.pack(">HHHHH", 0x8180 | (0 if exists else 3), 1, sum(n for n, _ in answers), denied, 1)
        return query[:2] + head + question + b"".join(o for _, o in answers) + proof + opt
