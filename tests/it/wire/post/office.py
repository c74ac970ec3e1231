# A mail server that wants TLS and a password, and writes each mail as a line of JSON.
import json
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, cert, key, user, password = sys.argv[1:]


class Office:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("full@"):
            return "552 the disk of mx7.inside is full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        content = envelope.content.decode("utf-8", "replace")
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "content": content,
        }), flush=True)
        return "250 kept"


def knows(server, session, envelope, mechanism, data):
    good = LoginPassword(user.encode(), password.encode())
    return AuthResult(success=data == good, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
controller = Controller(
    Office(), hostname="127.0.0.1", port=int(port), tls_context=context,
    require_starttls=True, auth_required=True, authenticator=knows,
)
controller.start()
print("ready", flush=True)
signal.pause()
