"""Python's aiosmtpd, in this process."""

import importlib
import logging
import ssl
import sys

from features import SECRET, USER
from harness import PEERS, free_ports
from mail_system import Server
from peers import need

AIOSMTPD = PEERS / "aiosmtpd"


class Keeper:
    """Keeps messages with a line above on how they came, as a Received field would."""

    def __init__(self):
        self.kept = []

    async def handle_DATA(self, server, session, envelope):
        secured = server.transport.get_extra_info("ssl_object") is not None
        with_what = "ESMTP" + ("S" if secured else "") + ("A" if session.authenticated else "")
        self.kept.append(f"Received: with {with_what}\r\n".encode() + envelope.original_content)
        return "250 2.0.0 Ok"


class Aiosmtpd(Server):
    name = "aiosmtpd"
    title = "aiosmtpd"

    def __init__(self, world):
        super().__init__(world)
        need(AIOSMTPD)
        sys.path.append(str(AIOSMTPD / "usr/lib/python3/dist-packages"))
        logging.getLogger("mail").setLevel(logging.ERROR)  # it warns of a name of its own
        self.module = importlib.import_module("aiosmtpd")
        controller = importlib.import_module("aiosmtpd.controller").Controller
        result = importlib.import_module("aiosmtpd.smtp").AuthResult
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*world.certificates.issue("aiosmtpd", "localhost", "127.0.0.1"))
        self.keeper = Keeper()
        self.port, self.implicit_port, self.auth_only_port = free_ports(3)

        def judge(_server, _session, _envelope, _mechanism, data):
            return result(success=(data.login, data.password) == (USER.encode(), SECRET.encode()))

        ways = {self.port: dict(tls_context=context),
                self.implicit_port: dict(ssl_context=context),
                self.auth_only_port: dict(tls_context=context, auth_required=True,
                                          authenticator=judge)}
        for port, options in ways.items():
            daemon = controller(self.keeper, hostname="127.0.0.1", port=port,
                                enable_SMTPUTF8=True, decode_data=False, **options)
            daemon.start()
            world.addCleanup(daemon.stop)

    @property
    def auth_port(self):
        return self.auth_only_port

    def version(self):
        return self.module.__version__

    def contents(self):
        return list(self.keeper.kept)
