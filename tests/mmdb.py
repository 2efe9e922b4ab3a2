"""Databases in MaxMind's format, as https://maxmind.github.io/MaxMind-DB/ has them, with nothing in them but countries."""
import ipaddress


def head(kind, length):
    """The control octet of a value; kinds beyond 7 follow in an octet of their own."""
    return bytes([length, kind - 7]) if kind > 7 else bytes([kind << 5 | length])


def string(text):
    return head(2, len(text)) + text.encode()


def number(kind, octets, value):
    return head(kind, octets) + value.to_bytes(octets, "big")


def pairs(*each):
    return head(7, len(each)) + b"".join(string(k) + v for k, v in each)


def database(networks):
    """A database in MaxMind's format, version 2.0: a tree of bits for both families, then the data, then what it is."""
    nodes, data, where = [[None, None]], b"", {}
    for network, code in networks.items():
        if code not in where:
            where[code] = len(data)
            data += pairs(("country", pairs(("iso_code", string(code)))))
        net = ipaddress.ip_network(network)
        bits = format(int(net.network_address), "0128b")[:net.prefixlen + (96 if net.version == 4 else 0)]
        at = 0
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][int(bits[-1])] = code

    def record(side):
        if side is None:
            return len(nodes)
        return len(nodes) + 16 + where[side] if isinstance(side, str) else side

    tree = b"".join(record(side).to_bytes(3, "big") for node in nodes for side in node)
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + pairs(
        ("node_count", number(6, 4, len(nodes))), ("record_size", number(5, 2, 24)), ("ip_version", number(5, 2, 6)),
        ("database_type", string("Test-Country")), ("languages", head(11, 0)),
        ("binary_format_major_version", number(5, 2, 2)), ("binary_format_minor_version", number(5, 2, 0)),
        ("build_epoch", number(9, 8, 1700000000)), ("description", head(7, 0)))
