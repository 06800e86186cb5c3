"""What TLS costs a message: smtp_source -> outboxd -> outboxd -> smtp_sink, and in the middle plain
text or TLS, by turns in one run. The first relay speaks TLS to a host, the second to a client; each
is compared with itself without."""

import statistics
import subprocess

from measuring import cpu
from measuring.load import Load
from measuring.room import Room

HALVES = ("to_host_us", "from_client_us")


def certificate(room, rsa):
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-noenc", "-days", "2", "-subj",
                    "/CN=bench.outbox.test", "-keyout", "bench.key", "-out", "bench.pem"],
                   cwd=room.dir, check=True, capture_output=True)
    return room.dir / "bench.pem", room.dir / "bench.key"


class Chain:
    """Two relays with a sink behind them, in rooms of their own."""

    def __init__(self, near, far, options, tls):
        load = Load(messages=options.messages, size=options.size, connections=options.connections)
        port, middle, sink_port = near.ports(3)
        self.near, self.load = near, load
        self.sink = far.start_sink(sink_port)
        text = load.config(far.dir, middle, sink_port)
        if tls:
            chain, key = certificate(far, options.rsa)
            text = text.replace("\n[delivery]", f'tls = "required"\ntls_certificate = "{chain}"\n'
                                f'tls_key = "{key}"\n\n[delivery]', 1)
        text = text.replace('via   =', 'tls   = "none"\nvia   =')
        self.second = far.start_relay(text)
        text = load.config(near.dir, port, middle)
        text = text.replace('via   =', f'tls   = "{"required" if tls else "none"}"\nvia   =')
        self.first = near.start_relay(text)
        self.arguments = load.source_arguments(port)
        self.sent = 0

    def send(self, messages):
        self.near.source(*self.arguments, "--messages", messages, "--first-id", self.sent + 1)
        self.sent += messages
        self.first.wait_for(queued=0)
        self.second.wait_for(queued=0, delivered_total=self.sent)

    def used(self):
        return [sum(cpu.user_system(relay.process.pid)) for relay in (self.first, self.second)]

    def measure(self):
        self.send(1000)
        before = self.used()
        self.send(self.load.messages)
        cost = [(b - a) / self.load.messages * 1e6 for a, b in zip(before, self.used())]
        stats = self.second.stats()
        return {"to_host_us": cost[0], "from_client_us": cost[1],
                "handshakes": stats["tls_in_total"], "resumed": stats["tls_in_resumed_total"]}


def one(options, tls):
    with Room(options, "tls-near") as near, Room(options, "tls-far") as far:
        return Chain(near, far, options, tls).measure()


def compare(options, rounds):
    """Medians of so many rounds of each kind, and what the one is to the other."""
    results = {False: [], True: []}
    for _ in range(rounds):
        for tls in (False, True):
            results[tls].append(one(options, tls))

    def middle(tls, name):
        return statistics.median(r[name] for r in results[tls])

    result = {}
    for name in HALVES:
        result["plain_" + name], result["tls_" + name] = middle(False, name), middle(True, name)
    more = sum(result["tls_" + n] - result["plain_" + n] for n in HALVES)
    plain = (result["plain_to_host_us"] + result["plain_from_client_us"]) / 2
    result["ratio_to_host"] = result["tls_to_host_us"] / result["plain_to_host_us"]
    result["ratio_from_client"] = result["tls_from_client_us"] / result["plain_from_client_us"]
    result["ratio_both"] = 1 + more / plain
    result["handshakes"], result["resumed"] = middle(True, "handshakes"), middle(True, "resumed")
    return result


def show(options, rounds, result):
    print(f"{options.messages:,} messages of {options.size}, medians of {rounds} rounds; "
          f"{result['handshakes']:.0f} handshakes, {result['resumed']:.0f} of them resumed")
    for label, plain_name, ratio in (
            ("TLS to the host", "to_host_us", "ratio_to_host"),
            ("TLS from the client", "from_client_us", "ratio_from_client")):
        print(f"  {label:22} {result['plain_' + plain_name]:7.1f} -> "
              f"{result['tls_' + plain_name]:6.1f} us of CPU a message: {result[ratio]:.2f}")
    print(f"  {'both':22} {result['ratio_both']:27.2f}")
