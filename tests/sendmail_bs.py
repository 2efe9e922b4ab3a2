"""`sendmail -bs` between a program and its submission server, for which tests/relay has Hop."""
import os

from postern_server import postern


def converse(folder, server, lines, ca=None):
    """What it says to a program that says these lines and has this server, a URI, in its accounts file."""
    accounts = folder / "accounts"
    accounts.write_text(f'account default {{ server = "{server}"\n' + (f'ca = "{ca}"\n' if ca else "") + "}\n")
    accounts.chmod(0o600)
    return postern("sendmail", "-bs", "-C", accounts, input="".join(f"{line}\r\n" for line in lines), timeout=20,
                   env=dict(os.environ, HOME=str(folder))).stdout
