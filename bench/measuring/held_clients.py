"""Many SMTP clients that come and stay: idle ones, and slow ones in the middle of a message. One
selector in one thread of its own; each client is a socket and a little state."""

import errno
import resource
import selectors
import socket
import threading
import time

EHLO = b"EHLO held.test\r\n"
ENVELOPE = (b"MAIL FROM:<held@held.test>\r\n", b"RCPT TO:<nobody@held.test>\r\n", b"DATA\r\n")
LINE = b"Slowly, slowly.\r\n" * 4
# Connects that are under way at a time: fewer than the listener's backlog.
CONNECTING_MAX = 200
CLIENTS_AN_ADDRESS = 2000


class Client:
    __slots__ = ("socket", "step", "received", "said_421")

    def __init__(self, made):
        self.socket = made
        self.step = "connect"
        self.received = b""
        self.said_421 = False


class HeldClients:
    """`first_half` octets of a message are sent when a client becomes active; from then on a line
    now and then, until `close`."""

    def __init__(self, port, first_half=2048, line_every=10.0):
        self.port = port
        self.first_half = (LINE * (first_half // len(LINE) + 1))[:first_half]
        self.line_every = line_every
        self.clients = []
        self.wanted = 0
        self.active_wanted = 0
        self.counts = {"connecting": 0, "idle": 0, "active": 0, "gone": 0, "said_421": 0}
        self.fault = None
        self.selector = selectors.EpollSelector()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        for client in self.clients:
            client.socket.close()
        self.selector.close()

    # --- From the thread that measures ---

    def open(self, count):
        """So many more clients, which become idle ones."""
        self.wanted += count

    def activate(self, count):
        """So many of the idle ones begin a message."""
        self.active_wanted += count

    def number(self, name):
        if self.fault:
            raise SystemExit(f"held clients: {self.fault!r}")
        return self.counts[name]

    # --- The loop ---

    def run(self):
        try:
            next_activated = 0
            next_line, last = 0, time.monotonic()
            while not self.stopped.is_set():
                self.connect_some()
                while next_activated < self.active_wanted and next_activated < len(self.clients):
                    self.begin_message(self.clients[next_activated])
                    next_activated += 1
                    if next_activated % 100 == 0:
                        break
                for key, _ in self.selector.select(0.02):
                    self.on_event(key.data)
                now = time.monotonic()
                lines = int(next_activated * (now - last) / self.line_every)
                if lines > 0:
                    last = now
                    for _ in range(lines):
                        self.send_line(self.clients[next_line % next_activated])
                        next_line += 1
        except Exception as error:  # told by the thread that measures
            self.fault = error

    def connect_some(self):
        while len(self.clients) < self.wanted and self.counts["connecting"] < CONNECTING_MAX:
            made = socket.socket()
            made.setblocking(False)
            number = len(self.clients) // CLIENTS_AN_ADDRESS
            made.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            made.bind((f"127.0.2.{number + 1}", 0))
            result = made.connect_ex(("127.0.0.1", self.port))
            if result not in (0, errno.EINPROGRESS):
                raise OSError(result, "connect")
            client = Client(made)
            self.clients.append(client)
            self.counts["connecting"] += 1
            self.selector.register(made, selectors.EVENT_READ, client)

    def on_event(self, client):
        try:
            data = client.socket.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        except BlockingIOError:
            return
        if not data:
            self.selector.unregister(client.socket)
            self.move(client, "gone")
            return
        client.received += data
        while b"\r\n" in client.received:
            line, client.received = client.received.split(b"\r\n", 1)
            if line[3:4] != b"-":
                self.on_reply(client, line)

    def on_reply(self, client, line):
        if line.startswith(b"421"):
            client.said_421 = True
            self.counts["said_421"] += 1
        elif client.step == "connect":
            self.check(line, b"220")
            client.step = "ehlo"
            client.socket.send(EHLO)
        elif client.step == "ehlo":
            self.check(line, b"250")
            self.move(client, "idle")
        elif client.step == "envelope" and line.startswith(b"354"):
            client.socket.send(b"Subject: slow\r\n\r\n" + self.first_half)
            self.move(client, "active")
        elif client.step == "envelope":
            self.check(line, b"250")

    def check(self, line, code):
        if not line.startswith(code):
            raise RuntimeError(f"the relay said {line!r}")

    def move(self, client, step):
        before = client.step
        self.counts[before if before in ("idle", "active") else "connecting"] -= 1
        self.counts[step] += 1
        client.step = step

    def begin_message(self, client):
        if client.step != "idle":
            return
        self.counts["idle"] -= 1
        self.counts["connecting"] += 1
        client.step = "envelope"
        client.socket.send(b"".join(ENVELOPE))

    def send_line(self, client):
        if client.step != "active":
            return
        try:
            client.socket.send(LINE)
        except OSError:
            pass  # seen by the selector


def raise_open_files():
    """As far as this process may; what the limit is then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
