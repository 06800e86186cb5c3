"""Programs and libraries that only send."""

import json
import pathlib
import smtplib
import ssl
import subprocess
import sys

from features import SECRET, TLS, USER
from harness import PEERS
from mail_system import MailClient, first_line
from node import module_version, need_modules
from peers import need

SEND_WITH_NODEMAILER = pathlib.Path(__file__).with_name("nodemailer_send.js")
MSMTP = PEERS / "msmtp"


def run(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=60, **options)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").split("\n")
        raise AssertionError(f"{pathlib.Path(command[0]).name} exited with {done.returncode}: "
                             + " ".join(said[-6:])[-400:])


class Swaks(MailClient):
    name = "swaks"
    title = "swaks"
    cannot = {"bdat", "smtputf8", "dsn"}

    def version(self):
        return first_line("swaks", "--version").split()[-1]

    def send(self, key, message, port):
        content = self.world.dir / "swaks.eml"
        content.write_bytes(message.stuffed() + b".\r\n")
        ways = {"starttls": ["--tls"], "implicit": ["--tlsc"], "pipelining": ["--pipeline"],
                "auth": ["--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password",
                         SECRET]}
        run(["swaks", "--server", f"127.0.0.1:{port}", "--from", message.sender, "--to",
             message.recipient, "--helo", "swaks.test", "--data", f"@{content}",
             "--no-data-fixup", *ways.get(key, [])])


class Msmtp(MailClient):
    name = "msmtp"
    title = "msmtp"
    sets_envid = False
    cannot = {"bdat", "smtputf8"}

    def __init__(self, world):
        super().__init__(world)
        need(MSMTP)
        self.program = ["env", f"LD_LIBRARY_PATH={MSMTP / 'usr/lib/x86_64-linux-gnu'}",
                        MSMTP / "usr/bin/msmtp"]

    def version(self):
        return first_line(*self.program, "--version").split()[-1]

    def send(self, key, message, port):
        tls = ["--tls=on", f"--tls-trust-file={self.world.certificates.ca}"]
        ways = {"starttls": tls, "implicit": tls + ["--tls-starttls=off"],
                "auth": tls + ["--auth=plain", f"--user={USER}",
                               f"--passwordeval=echo {SECRET}"],
                "dsn": ["--dsn-notify=success", "--dsn-return=hdrs"]}
        host = "localhost" if key in TLS else "127.0.0.1"
        run([*self.program, "--file=/dev/null", f"--host={host}", f"--port={port}",
             f"--from={message.sender}", "--domain=msmtp.test", *ways.get(key, []), "--",
             message.recipient], input=message.content.replace(b"\r\n", b"\n"))


class Nodemailer(MailClient):
    name = "nodemailer"
    title = "nodemailer"
    cannot = {"pipelining", "bdat"}

    def __init__(self, world):
        super().__init__(world)
        self.modules = need_modules()

    def version(self):
        return module_version("nodemailer")

    def send(self, key, message, port):
        transport = {"host": "localhost" if key in TLS else "127.0.0.1", "port": port,
                     "name": "nodemailer.test", "secure": key == "implicit",
                     "requireTLS": key in TLS, "ignoreTLS": key not in TLS,
                     "tls": {"ca": self.world.certificates.ca.read_text()}}
        if key == "auth":
            transport["auth"] = {"user": USER, "pass": SECRET}
        mail = {"envelope": {"from": message.sender, "to": message.recipient,
                             "use8BitMime": True}}
        if key == "dsn":
            mail["dsn"] = {"id": message.token, "return": "headers", "notify": "success",
                           "recipient": f"rfc822;{message.recipient}"}
        run(["node", SEND_WITH_NODEMAILER, json.dumps({"transport": transport, "mail": mail})],
            input=message.content, env={"NODE_PATH": str(self.modules / "node_modules"),
                                        "PATH": "/usr/bin:/bin"})


class Smtplib(MailClient):
    name = "smtplib"
    title = "Python smtplib"
    cannot = {"pipelining", "bdat"}

    def version(self):
        return sys.version.split()[0]

    def send(self, key, message, port):
        context = ssl.create_default_context(cafile=str(self.world.certificates.ca))
        if key == "implicit":
            client = smtplib.SMTP_SSL("localhost", port, "smtplib.test", timeout=20,
                                      context=context)
        else:
            client = smtplib.SMTP("localhost", port, "smtplib.test", timeout=20)
        with client:
            if TLS.get(key) == "starttls":
                client.starttls(context=context)
            if key == "auth":
                client.login(USER, SECRET)
            mail_options, rcpt_options = ["BODY=8BITMIME"], []
            if key == "smtputf8":
                mail_options.append("SMTPUTF8")
            if key == "dsn":
                mail_options += ["RET=HDRS", f"ENVID={message.token}"]
                rcpt_options += ["NOTIFY=SUCCESS", f"ORCPT=rfc822;{message.recipient}"]
            client.sendmail(message.sender, [message.recipient], message.content, mail_options,
                            rcpt_options)


class Curl(MailClient):
    name = "curl"
    title = "curl"
    cannot = {"pipelining", "bdat", "dsn"}

    def version(self):
        return first_line("curl", "--version").split()[1]

    def send(self, key, message, port):
        content = self.world.dir / "curl.eml"
        content.write_bytes(message.content)
        tls = ["--ssl-reqd", "--cacert", self.world.certificates.ca]
        ways = {"starttls": tls, "implicit": tls, "auth": [*tls, "--user", f"{USER}:{SECRET}"]}
        scheme = "smtps" if key == "implicit" else "smtp"
        run(["curl", "--silent", "--show-error", "--max-time", "30",
             f"{scheme}://localhost:{port}/curl.test", "--mail-from", message.sender, "--mail-rcpt",
             message.recipient, "--upload-file", content, *ways.get(key, [])])


CLIENTS = [Swaks, Msmtp, Nodemailer, Smtplib, Curl]
