"""What the clients send: messages as octets with CRLF, and what must arrive of them."""
import base64
import dataclasses
import itertools
import random

LOGIN, SENDER, STRANGER = "alice", "alice@example.org", "mallory@example.org"
numbers = itertools.count(1)


@dataclasses.dataclass
class Letter:
    """One message. mark stands in its Subject and Message-ID and nowhere else in the world."""
    mark: str
    content: bytes
    sender: str = SENDER
    rcpts: tuple = ("bob@example.net",)

    @property
    def lines(self):
        """The same with LF, for clients that are given text."""
        return self.content.replace(b"\r\n", b"\n")

    @property
    def body(self):
        return self.lines.partition(b"\n\n")[2]

    @property
    def whole(self):
        """What must arrive: the last line of a message always has an end (5321-33)."""
        return self.lines if self.lines.endswith(b"\n") else self.lines + b"\n"


def letter(body=b"hello\r\n", fields=(), author=SENDER, to="bob@example.net", subject="", **more):
    """A complete message, so that the server has nothing to add but trace fields."""
    mark = f"mark{next(numbers)}x{random.randrange(1 << 40):x}"
    head = [
        f"From: Alice <{author}>",
        f"To: {to}",
        "Date: Sun, 22 Nov 2026 10:00:00 +0000",
        f"Message-ID: <{mark}@example.org>",
        f"Subject: {mark} {subject}".rstrip(),
        *fields,
    ]
    return Letter(mark, "\r\n".join(head).encode() + b"\r\n\r\n" + body, **more)


def plain():
    return letter(b"Hello Bob,\r\n\r\nthis is all.\r\n-- \r\nAlice\r\n")


def odd_fields():
    """Fields keep their order, their case, their folding and their spaces."""
    return letter(fields=[
        "X-Second: 2", "x-FIRST:1", "X-Second: again", "Comments: folded\r\n\tby a tab\r\n   and by spaces",
        "References: <a@example.org>\r\n <b@example.org>", "X-Empty: ", "X-Trailing: spaces   "])


def long_lines():
    """998 octets without CRLF is the most (5321-82, 5322-1); one that begins with a dot has 999 on the wire."""
    lines = [b"a" * 997, b"b" * 998, b"." + b"c" * 997, b"word " * 199 + b"end", b"d" * 900 + b" " * 98]
    return letter(b"\r\n".join(lines) + b"\r\n")


def eightbit():
    text = "Grüße aus Köln\r\nпривет\r\n日本語\r\n\U0001f4ee\r\n" * 20
    return letter(text.encode(), fields=["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
                                        "Content-Transfer-Encoding: 8bit"])


def dots():
    """5321-32: a dot at a line's beginning is doubled on the wire and nowhere else."""
    return letter(b".\r\n..\r\n...\r\n.x\r\n..x\r\n. \r\n\r\n.\r\nx.\r\n.QUIT\r\nMAIL FROM:<x>\r\n.\r\n..\r\n")


def attachment():
    """300 KiB in base64 behind a text."""
    data = random.Random(7).randbytes(300 * 1024)
    body = (b"--=_b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--=_b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Disposition: attachment; filename=data.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(data).replace(b"\n", b"\r\n") + b"--=_b--\r\n")
    return letter(body, fields=["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="=_b"'])


def many():
    """A hundred recipients, one of whom is named in the header."""
    return letter(to="reader0@example.net", rcpts=tuple(f"reader{n}@example.net" for n in range(100)))


def international():
    """6531-1: addresses and fields in UTF-8."""
    return letter("дом\r\n".encode(), to="Бобер <бобер@example.net>", subject="привет",
                  fields=["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"],
                  rcpts=("бобер@example.net",))


def empty_body():
    return letter(b"")


def no_last_line_end():
    return letter(b"the end has no end")


ALL = {f.__name__: f for f in (plain, odd_fields, long_lines, eightbit, dots, attachment, many, international,
                               empty_body, no_last_line_end)}
