"""A core file shows no secret: not the private keys of certificates and of DKIM, not the keys of
session tickets, not the secrets of sessions.

Everything is looked for twice: in a file of the whole memory, where it must be found, or it would
prove nothing that it is not in the other one, which is as the kernel would write it."""

import contextlib
import hmac
import mmap
import os
import pathlib
import re
import resource
import signal
import smtplib
import ssl
import subprocess

from certificates import Certificates
from harness import BIN, PATIENCE, Scenario, main, route
from tls_out_test import TlsReceiver

CONFIG = """
[[dkim]]
domain   = ["rsa.test"]
selector = "rsa"
key      = "{dir}/rsa.pem"

[[dkim]]
domain   = ["ed.test"]
selector = "ed"
key      = "{dir}/ed.pem"
"""

LISTENER = """
[[listener]]
address         = "127.0.0.1:{port}"
relay_from      = ["127.0.0.1/32"]
tls_certificate = ["CERT/ec.pem", "CERT/rsa.pem"]
tls_key         = ["CERT/ec.key", "CERT/rsa.key"]
"""

# Numbers of an RSA key that give it away; the others of it are public.
RSA_SECRETS = ("privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient")


def numbers(key):
    """The secret numbers of a private key file, by name, big end first."""
    text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    found = re.findall(r"^(\w+):\s*\n((?:    +[0-9a-f:]+\n)+)", text, re.M)
    found = {name: bytes.fromhex("".join(re.findall("[0-9a-f]", value))).lstrip(b"\0")
             for name, value in found}
    wanted = RSA_SECRETS if "prime1" in found else ("priv",)
    return {f"{key.name} {name}": found[name] for name in wanted}


def secrets_of(log):
    """The secrets of sessions that an OpenSSL with a key log has written down. What a handshake
    was begun with is forgotten when it is over, and here left out."""
    found = {}
    for number, line in enumerate(log.read_text().splitlines()):
        if line.startswith("#") or "HANDSHAKE" in line:
            continue
        label, _, secret = line.split()
        found[f"{log.name} {label} {number}"] = bytes.fromhex(secret)
    return found


@contextlib.contextmanager
def memory_of(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        yield memory


def found(path, secrets):
    """Names of what a file has, whichever end of it comes first."""
    with memory_of(path) as memory:
        return sorted(name for name, secret in secrets.items()
                      if memory.find(secret) >= 0 or memory.find(secret[::-1]) >= 0)


class CoreFile(Scenario):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.dir)
        self.secrets = {}
        for name, host, rsa in (("ec", "relay.outbox.test", False), ("rsa", "rsa.test", True)):
            _, key = self.certificates.issue(name, host, rsa=rsa)
            self.secrets.update(numbers(key))
        for kind, name in (("rsa", "rsa"), ("ed", "ed25519")):
            subprocess.run([BIN / "outbox", "dkim", "keygen", "--domain", f"{kind}.test",
                            "--selector", kind, "--out", self.dir / f"{kind}.pem", "--type", name],
                           check=True, capture_output=True)
            self.secrets.update(numbers(self.dir / f"{kind}.pem"))
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.dir)  # where the kernel puts the core file

    def context(self, version, log):
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        context.minimum_version = context.maximum_version = version
        context.keylog_filename = str(log)
        return context

    def sessions(self, relay, count):
        """Of every kind, with each certificate; they stay open."""
        for name in ("relay.outbox.test", "rsa.test"):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                log = self.dir / f"{name}-{version.name}"
                for _ in range(count):
                    client = smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE)
                    self.addCleanup(client.close)
                    client._host = name
                    client.starttls(context=self.context(version, log))
                    client.ehlo("app.test")
                self.secrets.update(secrets_of(log))

    def ticket(self, relay):
        """A ticket as a client has it (RFC 5077 4): the name of its keys, 16 octets, first."""
        session = self.dir / "session"
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-starttls",
                        "smtp", "-tls1_2", "-sess_out", session], input=b"QUIT\r\n",
                       capture_output=True, timeout=PATIENCE, check=True)
        text = subprocess.run(["openssl", "sess_id", "-in", session, "-noout", "-text"],
                              capture_output=True, text=True, check=True).stdout
        lines = re.findall(r"^    [0-9a-f]{4} - ((?:[0-9a-f]{2}[ -]){1,16})", text, re.M)
        return bytes.fromhex("".join(lines).replace("-", " "))

    def ticket_keys(self, memory, ticket):
        """The keys that stand behind their name, the one that seals first: it fits the ticket."""
        at = memory.find(ticket[:16])
        while at >= 0:
            seals, hides = memory[at + 16:at + 32], memory[at + 32:at + 48]
            if hmac.digest(seals, ticket[:-32], "sha256") == ticket[-32:]:
                return {"the key that seals tickets": seals, "the key that hides them": hides}
            at = memory.find(ticket[:16], at + 1)
        return self.fail("the keys of a ticket were not found")

    def gcore(self, relay, whole):
        """A core file of the running daemon; `whole`: with what is to be left out."""
        path = self.dir / f"memory-{whole}"
        subprocess.run(["gdb", "-nx", "-batch", "-p", str(relay.process.pid), "-ex",
                        f"set dump-excluded-mappings {'on' if whole else 'off'}", "-ex",
                        f"gcore {path}"], capture_output=True, timeout=PATIENCE, check=True)
        return path

    def kernel_core(self, relay):
        """The kernel's own, where it puts them into the working directory; None: elsewhere."""
        pid = relay.process.pid
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        _, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
        if pattern != "core" or hard != resource.RLIM_INFINITY:
            return None
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
        relay.process.send_signal(signal.SIGABRT)
        relay.process.wait(PATIENCE)
        return next(self.dir.glob("core*"), None)

    def test_no_secret_is_in_a_core_file(self):
        receiver = TlsReceiver(self.certificates.issue("far", "127.0.0.1"),
                               version=ssl.TLSVersion.TLSv1_2)
        self.addCleanup(receiver.close)
        far = self.dir / "far-TLSv1_2"
        receiver.context.keylog_filename = str(far)
        relay = self.outbox(route(receiver.port, tls="required") +
                            CONFIG.replace("{dir}", str(self.dir)),
                            listener=LISTENER.replace("CERT", str(self.certificates.dir)))
        for kind in ("rsa", "ed") * 3:
            client = relay.client()
            client.deliver(["known@one.test"], f"From: a@{kind}.test\r\n\r\nhi\r\n".encode())
            client.close()
        for message in receiver.wait_for(6):
            self.assertIn(b"DKIM-Signature", message.content)
        self.secrets.update(secrets_of(far))
        self.sessions(relay, 3)
        ticket = self.ticket(relay)

        whole = self.gcore(relay, True)
        with memory_of(whole) as memory:
            self.secrets.update(self.ticket_keys(memory, ticket))
        self.assertEqual(found(whole, self.secrets), sorted(self.secrets))
        public = {"name": b"relay.outbox.test", "recipient": b"known@one.test"}
        for core in (self.gcore(relay, False), self.kernel_core(relay)):
            if core:
                self.assertEqual(found(core, public), sorted(public))
                self.assertEqual(found(core, self.secrets), [])


if __name__ == "__main__":
    main()
