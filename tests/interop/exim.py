"""Exim, both ways."""

import os
import shutil
import subprocess

from features import KEYS, SECRET, USER
from harness import free_ports, wait_for_port
from mail_system import Forwarder, Server, first_line
from peers import EXIM, need, need_root
from relay import readable_copy

CONF = """
exim_path = {root}/usr/sbin/exim4
primary_hostname = mx.exim.test
spool_directory = {spool}
log_file_path = {log}/%slog
pid_file_path = {spool}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {implicit} : {auth}
tls_on_connect_ports = {implicit}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}}}
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
acl_smtp_rcpt = acl_rcpt
never_users =
deliver_drop_privilege = true
disable_ipv6 = true
host_lookup =
rfc1413_hosts =
message_size_limit = 20M
check_spool_space = 0
check_spool_inodes = 0
smtp_accept_queue_per_connection = 0
begin acl
acl_rcpt:
  # It would ask the machine's own name servers for keys.
  warn control = dkim_disable_verify
  deny condition = ${{if eq{{$received_port}}{{{auth}}}}}
       !authenticated = *
       message = Authentication required
  accept domains = exim.test
         local_parts = known : zoë
  accept domains = *.out.test
  deny message = No such user here
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{secret}}}}}}}}}
  server_set_id = $auth2
  client_send = ^{user}^{secret}
begin routers
files:
  driver = accept
  domains = exim.test
  transport = maildir
{routers}back:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = back
begin transports
maildir:
  driver = appendfile
  directory = {mail}
  maildir_format
  create_directory
{transports}
begin retry
* * F,1h,1m
"""

ROUTER = """out_{name}:
  driver = manualroute
  domains = {name}.out.test
  transport = {name}
  route_list = * 127.0.0.1 byname
  self = send
"""
TRANSPORT = """{name}:
  driver = smtp
  port = {port}
"""
CLEAR = "  hosts_avoid_tls = *\n"
WITH = {
    "starttls": "  hosts_require_tls = *\n  tls_verify_certificates = {ca}\n"
                "  tls_verify_hosts = *\n",
    "implicit": "  protocol = smtps\n",
    "auth": "  hosts_require_tls = *\n  hosts_require_auth = *\n",
    "bdat": CLEAR,
}
# By default it says BDAT wherever it can.
NOT_CHUNKED = "  hosts_try_chunking =\n"


class Exim(Server, Forwarder):
    name = "exim"
    title = "Exim"

    def __init__(self, world):
        super().__init__(world)
        need_root()
        need(EXIM)
        self.port, self.implicit_port, self.auth_only_port = free_ports(3)
        self.dir = world.dir / "exim"
        spool, log, mail = (self.dir / part for part in ("spool", "log", "mail"))
        for directory in (spool, log, mail):
            directory.mkdir(parents=True)
            shutil.chown(directory, "Debian-exim", "Debian-exim")
        os.chmod(world.dir, 0o755)
        self.maildir, self.log = mail / "new", log / "mainlog"
        certificate, key = world.certificates.issue("exim", "localhost", "127.0.0.1")
        transports = TRANSPORT.format(name="back", port=world.catcher.port) + CLEAR
        for name in KEYS:
            transports += TRANSPORT.format(name=name, port=world.out_port(self, name))
            transports += WITH.get(name, CLEAR).format(
                ca=readable_copy(world.certificates.ca, world.dir))
            transports += "" if name == "bdat" else NOT_CHUNKED
        conf = self.dir / "exim.conf"
        conf.write_text(CONF.format(
            root=EXIM, spool=spool, log=log, mail=mail, port=self.port,
            implicit=self.implicit_port, auth=self.auth_only_port, certificate=certificate,
            key=readable_copy(key, world.dir), user=USER, secret=SECRET, transports=transports,
            routers="".join(ROUTER.format(name=name) for name in KEYS)))
        world.spawn([EXIM / "usr/sbin/exim4", "-C", conf, "-bdf"], stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    @property
    def auth_port(self):
        return self.auth_only_port

    def version(self):
        return first_line(EXIM / "usr/sbin/exim4", "-bV").split()[2]

    def files(self):
        return sorted(self.maildir.iterdir()) if self.maildir.exists() else []

    def troubles(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""
