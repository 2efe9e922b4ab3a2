"""A whole Postern between a client and next hops that do as they are told: what tests of the way through all processes share."""
import email
import email.policy
import json
import quopri
import smtplib
import ssl

from postern_server import eventually, postern
from peers import A, MX, Dns, Hop

QUICK = 'retry-first = "1 s"\nretry-max = "1 s"\n'
SENDER = "alice@sender.example"
LETTER = b"From: alice@sender.example\r\nTo: b@one.example\r\nSubject: the way\r\n\r\n.hello\r\n"


class World:
    """Hops that all listen on one port of several loopback addresses, and the names that lead to them."""

    def __init__(self, make_server):
        self.make_server, self.hops, self.dns, self.servers, self.port = make_server, [], None, [], 0

    def hop(self, address="127.0.0.1", *script, **more):
        more.setdefault("port", self.port)
        self.hops.append(Hop(*script, address=address, **more))
        self.port = self.hops[-1].port
        return self.hops[-1]

    def names(self, records):
        """{"one.example": "127.0.0.2"} or {"one.example": [(10, "mx.example")]} or anything that Dns takes."""
        full = {}
        for name, what in records.items():
            if isinstance(name, tuple):
                full[name] = what
            elif isinstance(what, str):
                full[(name, MX)] = [(10, "mx." + name)]
                full[("mx." + name, A)] = [what]
            else:
                full[(name, MX)] = what
        self.dns = Dns(full)
        return self.dns

    def serve(self, more="", relay="mx", start=True):
        conf = f'relay = "{relay}"\nrelay-port = {self.port or 25}\n' + more
        if self.dns is not None:
            conf += f'dns-server = "{self.dns.server}"\n'
        one = self.make_server(config=conf)
        self.servers.append(one)
        if start:
            one.start()
            one.add_key("alice", "@sender.example")
        return one

    def close(self):
        for one in self.servers:
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
                one.process.wait()
            said = one.log.read_text(errors="replace") if one.log.exists() else ""
            assert "Sanitizer" not in said and "Assertion" not in said, said
        for hop in self.hops:
            hop.close()
        if self.dns is not None:
            self.dns.close()


def client(server):
    context = ssl.create_default_context(cafile=str(server.ca))
    context.check_hostname = False      # the name is not what these tests are about
    smtp = smtplib.SMTP_SSL("127.0.0.1", server.submissions, context=context, timeout=30)
    smtp.ehlo()
    smtp.login(server.login, server.key)
    return smtp


def submit(server, to, content=LETTER, sender=SENDER, mail=(), rcpt=()):
    """Submit one message; its queue id."""
    with client(server) as smtp:
        code, text = smtp.mail(sender, list(mail))
        assert code == 250, text
        for one in [to] if isinstance(to, str) else to:
            words = list(rcpt)
            if not isinstance(one, str):
                one, words = one[0], list(one[1:])
            code, text = smtp.rcpt(one, words)
            assert code == 250, text
        code, text = smtp.data(content)
        assert code == 250, text
        return text.decode().split()[-1]


def queue(server, *words, code=0):
    done = postern("queue", *words, *server.options)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def waiting(server):
    return json.loads(queue(server, "list", "--json"))


def show(server, id):
    return json.loads(queue(server, "show", id, "--json"))


def in_content(hop):
    return any("DATA" in session.lines for session in hop.sessions)


def await_empty(server, patience=20):
    eventually(lambda: not waiting(server), "an empty queue", patience)


class Report:
    """A delivery status notification as the email package reads it."""

    def __init__(self, mail):
        self.envelope, self.rcpts, octets = mail
        self.octets = octets
        self.message = email.message_from_bytes(octets, policy=email.policy.default)
        assert self.message.get_content_type() == "multipart/report", octets
        assert self.message.get_param("report-type") == "delivery-status"
        self.words, status, self.original = list(self.message.iter_parts())
        assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        self.status_type = status.get_content_type()
        self.about, *self.people = status.get_payload() if self.status_type == "message/delivery-status" else self.decoded()
        assert not self.message.defects, self.message.defects

    def decoded(self):
        """The fields of a message/global-delivery-status, which the email package does not know (RFC 6533 4)."""
        part = self.octets.split(b"--" + self.message.get_boundary().encode())[2]
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"quoted-printable" in head and all(c < 128 for c in body)
        utf8 = email.policy.default.clone(utf8=True)
        groups = quopri.decodestring(body).replace(b"\r\n", b"\n").strip(b"\n").split(b"\n\n")
        return [email.message_from_string(g.decode(), policy=utf8) for g in groups]


def reports(hop):
    return [Report(m) for m in hop.mails]


def await_reports(hop, count=1, patience=20):
    eventually(lambda: len(hop.mails) >= count, f"{count} reports", patience)
    return reports(hop)
