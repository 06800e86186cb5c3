"""Postfix, both ways. Who it lets in is Dovecot's to say."""

import subprocess

import peers
from features import KEYS, SECRET, USER
from harness import free_ports
from mail_system import Forwarder, Server
from relay import readable_copy

MAIN = """
virtual_mailbox_maps = inline:{{
  {{ known@postfix.test = known/ }}, {{ zoë@postfix.test = known/ }} }}
smtputf8_enable = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_authenticated_header = yes
smtp_tls_CAfile = {ca}
smtp_sasl_password_maps = inline:{{ {{ 127.0.0.1 = {user}:{secret} }} }}
smtp_sasl_security_options = noanonymous
smtp_destination_concurrency_limit = 1
relayhost = [127.0.0.1]:{catcher}
smtp_tls_security_level = none
transport_maps = inline:{{ {transports} }}
"""

MASTER = """
{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
{auth} inet n - n - - smtpd -o smtpd_client_restrictions=permit_sasl_authenticated,reject
out-plain unix - - n - - smtp -o smtp_tls_security_level=none
out-starttls unix - - n - - smtp -o smtp_tls_security_level=verify
 -o smtp_tls_verify_cert_match=localhost
out-implicit unix - - n - - smtp -o smtp_tls_security_level=encrypt -o smtp_tls_wrappermode=yes
out-auth unix - - n - - smtp -o smtp_tls_security_level=encrypt -o smtp_sasl_auth_enable=yes
"""

TRANSPORTS = {"starttls": "starttls", "implicit": "implicit", "auth": "auth"}


class Postfix(Server, Forwarder):
    name = "postfix"
    title = "Postfix"
    cannot = {"bdat"}  # it takes it, and does not send it

    def __init__(self, world):
        super().__init__(world)
        self.user = world.dovecot_user
        self.implicit_port, self.auth_only_port = free_ports(2)
        certificate, private = world.certificates.issue("postfix", "localhost", "127.0.0.1")
        transports = ", ".join(
            f"{{ {key}.out.test = out-{TRANSPORTS.get(key, 'plain')}:[127.0.0.1]:"
            f"{world.out_port(self, key)} }}" for key in KEYS)
        more = MAIN.format(certificate=certificate, key=readable_copy(private, world.dir),
                           ca=readable_copy(world.certificates.ca, world.dir), user=USER,
                           secret=SECRET, sasl=world.dovecot.auth, catcher=world.catcher.port,
                           transports=transports)
        services = MASTER.format(implicit=self.implicit_port, auth=self.auth_only_port)
        self.postfix = peers.Postfix(world, more=more, services=services)
        self.port = self.postfix.port

    @property
    def auth_port(self):
        return self.auth_only_port

    def version(self):
        done = subprocess.run([peers.POSTFIX / "usr/sbin/postconf", "-c", self.postfix.dir / "etc",
                               "-h", "mail_version"], env=peers.POSTFIX_ENVIRONMENT,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def files(self):
        return self.postfix.files()

    def troubles(self):
        return self.postfix.log_text()
