"""What the end-to-end scenarios share: daemons in temporary directories, peers, raw SMTP clients.

A scenario is one file, run by CTest as `python3 <file>`. Everything is on loopback, with ports of
its own and a directory of its own, and every process is ended by its own handle. Waiting is always
for a condition with a generous limit, never for a time.
"""

import json
import os
import pathlib
import shutil
import signal
import random
import resource
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("OUTBOX_BIN", ROOT / "build" / "release"))
PEERS = ROOT / "var" / "peers"
# A sanitizer makes everything slower; limits grow by this factor.
SLOWNESS = float(os.environ.get("OUTBOX_SLOWNESS", "1"))
PATIENCE = 30 * SLOWNESS


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens at now; all different. They lie below the ports that
    the system gives to outgoing connections: a relay that is down for a moment must find its own
    again."""
    sockets = []
    while len(sockets) < count:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", random.randrange(10000, 32000)))
        except OSError:
            s.close()
            continue
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def free_port():
    return free_ports(1)[0]


def wait_until(condition, what, patience=PATIENCE):
    """Returns the first true value of condition(); fails the test if none comes."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(0.02)


def wait_for_port(port, address="127.0.0.1"):
    def open_now():
        try:
            socket.create_connection((address, port), timeout=2).close()
            return True
        except OSError:
            return False
    wait_until(open_now, f"{address}:{port} to be open")


def load_json(path):
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


class Scenario(unittest.TestCase):
    """A test case with a temporary directory; what is started through it is ended by it."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="outbox-e2e-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def spawn(self, arguments, **options):
        """Starts a program that is killed at the end at the latest."""
        process = subprocess.Popen([str(a) for a in arguments], **options)
        self.addCleanup(end_process, process)
        return process

    def outbox(self, config, **options):
        relay = Outbox(self, config, **options)
        # Whatever the scenario is about: in the end the daemon stops in order, with nothing to say
        # for a sanitizer, which would be an exit code of its own.
        self.addCleanup(relay.end)
        return relay

    def receiver(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.close)
        return receiver

    def sink(self, *arguments, address="127.0.0.1"):
        return LoadSink(self, list(arguments), address)

    def source(self, port, *arguments, timeout=240):
        """Runs smtp_source to its end; its result."""
        command = [BIN / "smtp_source", "--to", f"127.0.0.1:{port}", *arguments]
        done = subprocess.run([str(a) for a in command], capture_output=True, text=True,
                              timeout=timeout * SLOWNESS)
        self.assertEqual(done.stderr, "")
        result = json.loads(done.stdout)
        result["exit"] = done.returncode
        return result


def end_process(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


class LoadSink:
    """Our own smtp_sink, which checks the content hashes of what smtp_source sent."""

    def __init__(self, scenario, arguments, address):
        self.port = free_port()
        self.stats_file = scenario.dir / f"sink-{self.port}.json"
        self.ids_file = scenario.dir / f"sink-{self.port}.ids"
        self.process = scenario.spawn(
            [BIN / "smtp_sink", "--listen", f"{address}:{self.port}", "--stats", self.stats_file,
             "--ids", self.ids_file, *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "smtp_sink ready\n"

    def stats(self):
        return load_json(self.stats_file) or {}

    def wait_for(self, recipients, patience=PATIENCE):
        wait_until(lambda: self.stats().get("unique_recipients", 0) >= recipients,
                   f"{recipients} recipients at the sink (now {self.stats()})", patience)
        return self.stats()

    def stop(self):
        """Ends the sink; its final statistics."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        return self.stats()


DEFAULT_CONFIG = """
hostname = "relay.outbox.test"
spool    = "{spool}"
control  = "{control}"
shards   = {shards}
stop_timeout = "5s"

[storage]
segment_size = "4MiB"
reserve = "16MiB"
"""

LISTENER = """
[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
"""


class Outbox:
    """outboxd with a spool of its own. `config` is appended to the head of the configuration, in
    which {port}, {spool} and so on are known; it can be stopped, killed and started again."""

    def __init__(self, scenario, config, shards=2, head=DEFAULT_CONFIG, listener=LISTENER,
                 start=True, files=None):
        """`files`: (soft, hard) limit of its file descriptors."""
        self.files = files
        self.scenario = scenario
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="relay-", dir=scenario.dir))
        self.port = free_port()
        self.control = self.dir / "control.sock"
        self.spool = self.dir / "spool"
        self.log = self.dir / "log"
        self.config = self.dir / "outbox.toml"
        self.text = head + listener + config
        self.process = None
        self.configure(shards)
        if start:
            self.start()

    def configure(self, shards):
        text = self.text
        values = {"port": self.port, "spool": self.spool, "control": self.control,
                  "shards": shards}
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        self.config.write_text(text)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.scenario.spawn(
                [BIN / "outboxd", "--config", self.config], stdout=subprocess.PIPE, stderr=log,
                text=True, preexec_fn=self.files and (
                    lambda: resource.setrlimit(resource.RLIMIT_NOFILE, self.files)))
        for line in self.process.stdout:
            if line.strip() == "outboxd ready":
                return
        raise AssertionError(f"outboxd did not start:\n{self.log_text()[-4000:]}")

    def log_text(self):
        return self.log.read_text(errors="replace")

    def wait_for_log(self, text):
        """Lines wait a moment for others: what has happened stands in the log a little later."""
        wait_until(lambda: text in self.log_text(), f"{text} in the log")

    def stop(self, signum=signal.SIGTERM):
        """Stops it in an orderly way; its exit code."""
        self.process.send_signal(signum)
        code = self.process.wait(PATIENCE)
        if code != 0:
            print(self.log_text()[-8000:], flush=True)
        return code

    def end(self):
        if self.process and self.process.poll() is None:
            code = self.stop()
            self.scenario.assertEqual(code, 0)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cli(self, *arguments, check=True):
        done = subprocess.run(
            [str(BIN / "outbox"), "--control", str(self.control), *arguments],
            capture_output=True, text=True, timeout=PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"outbox {arguments}: {done.returncode} {done.stderr}\n"
                                 f"{self.log_text()[-4000:]}")
        return done

    def stats(self):
        return json.loads(self.cli("stats", "--json").stdout)

    def queue(self):
        return [json.loads(line) for line in self.cli("queue", "--json").stdout.splitlines()]

    def recovered(self):
        """Everything that lies in the spool is known. Mail is taken, and sent, before that."""
        return self.stats()["recovering"] == 0

    def wait_for_stats(self, what, patience=PATIENCE, **wanted):
        def reached():
            if wanted.get("queued") == 0 and not self.recovered():
                return None
            stats = self.stats()
            return stats if all(stats[k] == v for k, v in wanted.items()) else None
        return wait_until(reached, what, patience)

    def check_ledger(self):
        """Every recipient is in exactly one place (docs/architecture.md, invariant 1)."""
        s = self.stats()
        came = s["accepted_total"] + s["generated_total"]
        went = sum(s[name] for name in ("delivered_total", "bounced_total", "expired_total",
                                        "discarded_total", "removed_total"))
        self.scenario.assertEqual(came, went + s["queued"], s)

    def client(self, source="127.0.0.1"):
        return Client(self.port, source)


class Client:
    """A raw SMTP client: it sends exactly the bytes it is told to."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE,
                                               source_address=(source, 0))
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """(code, text) of one reply; (None, "") when the server has closed."""
        lines = []
        while True:
            try:
                line = self.file.readline()
            except ConnectionResetError:
                return None, ""
            if not line:
                return None, ""
            assert line.endswith(b"\r\n"), line
            lines.append(line[4:-2].decode())
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def say(self, line):
        """Sends one command line; its reply."""
        self.send(line + "\r\n")
        return self.reply()

    def ehlo(self):
        code, text = self.say("EHLO client.test")
        assert code == 250, (code, text)
        return text.split("\n")[1:]

    def begin(self, recipients, sender="sender@client.test", ehlo=True):
        """Up to and with the 354 to DATA."""
        if ehlo:
            self.ehlo()
        code, text = self.say(f"MAIL FROM:<{sender}>")
        assert code == 250, (code, text)
        for recipient in recipients:
            code, text = self.say(f"RCPT TO:<{recipient}>")
            assert code == 250, (code, text)
        code, text = self.say("DATA")
        assert code == 354, (code, text)

    def deliver(self, recipients, content, sender="sender@client.test", ehlo=True):
        """One whole message; `content` (bytes) is dot-stuffed here. The last reply."""
        self.begin(recipients, sender, ehlo)
        self.send(stuff(content) + b".\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


def stuff(content):
    assert content.endswith(b"\r\n"), "content ends in CRLF"
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def unstuff(content):
    unstuffed = content.replace(b"\r\n..", b"\r\n.")
    return unstuffed[1:] if unstuffed.startswith(b"..") else unstuffed


class Message:
    """One that a Receiver took."""

    def __init__(self, sender, recipients, content):
        self.sender = sender
        self.recipients = recipients
        self.content = content
        self.client = None  # the address that it came from

    def header_section(self):
        return self.content.split(b"\r\n\r\n", 1)[0] + b"\r\n"

    def without_added(self, first_header):
        """The content from the line that begins with `first_header` on."""
        at = self.content.find(first_header)
        assert at == 0 or self.content[at - 2:at] == b"\r\n", self.content[:2000]
        return self.content[at:]


class Receiver:
    """An SMTP server that keeps whole messages and answers as a scenario wants.

    on_rcpt(address) and on_message(message) return a reply line ("550 5.1.1 No such user") or None
    for 250. on_connect() returns a greeting or None for 220.
    """

    def __init__(self, on_rcpt=None, on_message=None, on_connect=None, port=None,
                 address="127.0.0.1"):
        self.on_rcpt = on_rcpt or (lambda address: None)
        self.on_message = on_message or (lambda message: None)
        self.on_connect = on_connect or (lambda: None)
        self.messages = []
        self.connections = 0
        self.lock = threading.Lock()
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                receiver.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        self.server = Server((address, port or 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, stream):
        def say(line):
            stream.wfile.write(line.encode() + b"\r\n")

        with self.lock:
            self.connections += 1
        greeting = self.on_connect()
        try:
            say(greeting or "220 receiver.test ESMTP")
            if greeting and not greeting.startswith("220"):
                return
            self.dialogue(stream, say)
        except (ConnectionError, BrokenPipeError):
            return

    def dialogue(self, stream, say):
        sender, recipients = None, []
        while True:
            line = stream.rfile.readline()
            if not line:
                return
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("250-receiver.test\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n"
                    "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
            elif verb == b"MAIL":
                sender, recipients = line.split(b"<")[1].split(b">")[0].decode(), []
                say("250 2.1.0 Ok")
            elif verb == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                refusal = self.on_rcpt(address)
                if not refusal:
                    recipients.append(address)
                say(refusal or "250 2.1.5 Ok")
            elif verb == b"DATA":
                if not recipients:
                    say("554 5.5.1 No valid recipients")
                    continue
                say("354 End with a dot")
                message = self.read_message(stream, sender, recipients)
                if message is None:
                    return
                message.client = stream.client_address[0]
                refusal = self.on_message(message)
                if not refusal:
                    with self.lock:
                        self.messages.append(message)
                say(refusal or "250 2.0.0 Ok")
            elif verb == b"QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say("250 2.0.0 Ok")

    @staticmethod
    def read_message(stream, sender, recipients):
        parts = []
        while True:
            line = stream.rfile.readline()
            if not line:
                return None
            if line == b".\r\n" and (not parts or parts[-1].endswith(b"\r\n")):
                break
            parts.append(line)
        return Message(sender, recipients, unstuff(b"".join(parts)))

    def wait_for(self, count, patience=PATIENCE):
        wait_until(lambda: len(self.messages) >= count, f"{count} messages", patience)
        return self.messages[:]


def route(port, match="*", **more):
    lines = ["", "[[route]]", f'match = "{match}"', f'via = ["127.0.0.1:{port}"]']
    lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join(lines) + "\n"


def main():
    """Exit code 77 when something could not be tried here: CTest shows that as skipped."""
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
    for test, why in program.result.skipped:
        print(f"NOT TRIED: {test}: {why}")
    sys.exit(77 if program.result.skipped else 0)
