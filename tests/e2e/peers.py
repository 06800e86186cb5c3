"""Mail software that we did not write, as tools/setup --tests unpacks it under var/peers/: Postfix
(with its smtp-source and smtp-sink) and Exim, configured in a temporary directory, on loopback.
They run as root, as they insist on; they give their privileges up themselves."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

from harness import PEERS, free_port, wait_for_port

POSTFIX = PEERS / "postfix"
EXIM = PEERS / "exim"
POSTFIX_ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": str(POSTFIX / "usr/lib/postfix")}


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")


def need(directory):
    if not directory.exists():
        raise unittest.SkipTest(f"{directory} is missing: run tools/setup --tests")


def smtp_source(arguments, timeout):
    """Postfix's load generator, run to its end."""
    need(POSTFIX)
    return subprocess.run([str(POSTFIX / "usr/sbin/smtp-source"), *map(str, arguments)],
                          env=POSTFIX_ENVIRONMENT, capture_output=True, text=True, timeout=timeout)


class SmtpSink:
    """Postfix's sink. Each message is a file in `directory`, beginning with X- lines about its
    envelope. `options` are its own, as "-8" for one without 8BITMIME."""

    def __init__(self, scenario, *options):
        need(POSTFIX)
        self.port = free_port()
        self.directory = scenario.dir / "smtp-sink"
        self.directory.mkdir()
        arguments = [*options, "-d", self.directory / "%M.", f"127.0.0.1:{self.port}", "100"]
        if os.geteuid() == 0:
            # The directory above is private to root, which nobody must pass.
            os.chmod(scenario.dir, 0o755)
            shutil.chown(self.directory, "nobody")
            arguments = ["-u", "nobody", *arguments]
        scenario.spawn([POSTFIX / "usr/sbin/smtp-sink", *arguments], env=POSTFIX_ENVIRONMENT)
        wait_for_port(self.port)

    def files(self):
        return sorted(self.directory.iterdir())


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
import_environment = MAIL_CONFIG LD_LIBRARY_PATH={root}/usr/lib/postfix TZ=UTC
maillog_file = {log}
maillog_file_prefixes = {dir}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.postfix.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ {{ known@postfix.test = known/ }} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_tls_security_level = none
message_size_limit = 20480000
"""

MASTER_CF = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
"""


class Postfix:
    """A Postfix that takes mail for known@postfix.test into a Maildir, and relays all other mail to
    the port `relay_to` of 127.0.0.1. `more`: lines of main.cf; `services`: of master.cf."""

    def __init__(self, scenario, more="", relay_to=None, services=""):
        need_root()
        need(POSTFIX)
        self.port = free_port()
        self.dir = scenario.dir / "postfix"
        etc, queue, data, mail = (self.dir / name for name in ("etc", "queue", "data", "mail"))
        self.log = self.dir / "log"
        self.maildir = mail / "known" / "new"
        owner = pwd.getpwnam("postfix")
        for directory in (etc, queue, data, mail):
            directory.mkdir(parents=True)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "private", "public", "maildrop", "saved", "trace"):
            (queue / name).mkdir()
            shutil.chown(queue / name, "postfix")
        (queue / "pid").mkdir()
        for name in ("public", "maildrop"):
            shutil.chown(queue / name, group="postdrop")
        os.chmod(scenario.dir, 0o755)
        shutil.chown(data, "postfix")
        shutil.chown(mail, "postfix")
        values = dict(root=POSTFIX, dir=self.dir, queue=queue, data=data, mail=mail, log=self.log,
                      port=self.port, uid=owner.pw_uid, gid=owner.pw_gid)
        text = MAIN_CF.format(**values) + more
        if relay_to:
            text += f"relayhost = [127.0.0.1]:{relay_to}\nsmtp_tls_security_level = none\n"
        (etc / "main.cf").write_text(text)
        (etc / "master.cf").write_text(MASTER_CF.format(**values) + services)
        environment = {**POSTFIX_ENVIRONMENT, "MAIL_CONFIG": str(etc)}
        self.process = scenario.spawn(
            [POSTFIX / "usr/lib/postfix/sbin/master", "-d", "-c", etc], env=environment,
            start_new_session=True, stderr=subprocess.DEVNULL)
        # Master ends its daemons when it is asked to, not when it is killed.
        scenario.addCleanup(terminate, self.process)
        wait_for_port(self.port)

    def files(self):
        return sorted(self.maildir.iterdir()) if self.maildir.exists() else []

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def terminate(process):
    if process.poll() is None:
        process.terminate()
        process.wait(30)


EXIM_CONF = """
exim_path = {root}/usr/sbin/exim4
primary_hostname = mx.exim.test
spool_directory = {spool}
log_file_path = {log}/%slog
pid_file_path = {spool}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
acl_smtp_rcpt = acl_rcpt
never_users =
deliver_drop_privilege = true
disable_ipv6 = true
{tls}
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
  accept condition = {relays}
  accept domains = exim.test
         local_parts = known
  deny message = No such user here
begin routers
files:
  driver = accept
  domains = exim.test
  transport = maildir
onward:
  driver = manualroute
  condition = {relays}
  route_list = * 127.0.0.1 byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = {relay_to}
  hosts_{relay_tls}_tls = *
maildir:
  driver = appendfile
  directory = {mail}
  maildir_format
  create_directory
begin retry
* * F,1h,1m
"""


class Exim:
    """An Exim that takes mail for known@exim.test into a Maildir, and relays all other mail to the
    port `relay_to` of 127.0.0.1, with `relay_tls` over TLS or not at all. `tls`: lines of its main
    section; `more`: sections behind all others."""

    def __init__(self, scenario, tls="tls_advertise_hosts =", relay_to=None, relay_tls=False,
                 more=""):
        need_root()
        need(EXIM)
        self.port = free_port()
        self.dir = scenario.dir / "exim"
        spool, log, mail = (self.dir / name for name in ("spool", "log", "mail"))
        for directory in (spool, log, mail):
            directory.mkdir(parents=True)
            shutil.chown(directory, "Debian-exim", "Debian-exim")
        os.chmod(scenario.dir, 0o755)
        self.maildir = mail / "new"
        self.log = log / "mainlog"
        conf = self.dir / "exim.conf"
        conf.write_text(EXIM_CONF.format(root=EXIM, spool=spool, log=log, mail=mail,
                                         port=self.port, tls=tls, relay_to=relay_to or 25,
                                         relays="true" if relay_to else "false",
                                         relay_tls="require" if relay_tls else "avoid") + more)
        # -bdf: in the foreground. Privileges beyond exim's own user are not needed and are dropped.
        self.process = scenario.spawn([EXIM / "usr/sbin/exim4", "-C", conf, "-bdf"],
                                      stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def files(self):
        return sorted(self.maildir.iterdir()) if self.maildir.exists() else []

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""
