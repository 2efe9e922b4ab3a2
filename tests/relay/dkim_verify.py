"""Two verifiers of DKIM signatures that others wrote: dkimpy and OpenDKIM. Records come from `postern user domain list`."""
import json
import re
import subprocess

import dkim

from postern_server import postern

FIELD = re.compile(rb"DKIM-Signature:(?:[^\r\n]|\r\n[ \t])*\r\n")


def records(server, domain):
    """{selector: (DNS name, TXT value, algorithm, phase)}"""
    done = postern("user", "domain", "list", domain, "--json", *server.options)
    assert done.returncode == 0, done.stderr
    return {r["selector"]: (r["name"], r["record"], r["algorithm"], r["phase"]) for r in json.loads(done.stdout)}


def tags(field):
    """The tags of a DKIM-Signature field."""
    value = re.sub(rb"\s+", b"", field.split(b":", 1)[1])
    return {k.decode(): v.decode() for k, v in (t.split(b"=", 1) for t in value.split(b";") if t)}


def signatures(mail):
    """(algorithm, fields of the signature, the mail with this signature alone), one for each."""
    fields = FIELD.findall(mail)
    return [(tags(f)["a"], tags(f), f + FIELD.sub(b"", mail)) for f in fields]


def by_dkimpy(mail, dns):
    def txt(name, timeout=5):
        return dns.get(name.decode().rstrip("."), "").encode()

    try:
        return dkim.DKIM(mail).verify(dnsfunc=txt)
    except dkim.DKIMException:
        return False


def by_opendkim(mail, dns, folder):
    (folder / "zone").write_text("".join(f"{name} {value}\n" for name, value in dns.items()))
    (folder / "opendkim.conf").write_text(f"Mode v\nTestDNSData file:{folder}/zone\nSyslog no\n")
    (folder / "mail").write_bytes(mail)
    done = subprocess.run(["/usr/sbin/opendkim", "-x", str(folder / "opendkim.conf"), "-v", "-v", "-t", str(folder / "mail")], timeout=20,
                          capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert "verification" in said, said
    return "succeeded" in said


def verified(mail, known, folder):
    """{algorithm: did both verifiers take it} of our signatures; they must be of one mind."""
    dns, found = {name: value for name, value, _, _ in known.values()}, {}
    for algorithm, fields, alone in signatures(mail):
        if fields["s"] not in known:
            continue
        one, two = by_dkimpy(alone, dns), by_opendkim(alone, dns, folder)
        assert one == two, (algorithm, one, two, alone[:2000])
        found[algorithm] = one
    return found
