"""What is sent through the relay in one measurement, and how the relay is set up for it."""

import dataclasses

CONFIG = """
hostname = "bench.outbox.test"
spool    = "{dir}/spool"
control  = "{dir}/control.sock"
shards   = {load.shards}

[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
max_connections = 9000
max_connections_per_client = 9000

[delivery]
retry = "1s"
max_connections = {load.out}
chunking = {bdat_out}

[log]
level = "{load.log_level}"
file = "{dir}/log"
"""
ROUTE = '\n[[route]]\nmatch = "{domain}"\nvia   = ["{address}:{port}"]\n'
SUFFIX = "bench.test"
HOSTS_MAX = 250 * 256


def host(number):
    """Where domain `number` lives, when each has a destination of its own."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


@dataclasses.dataclass(frozen=True)
class Load:
    messages: int = 20000
    size: str = "4KiB"
    domains: int = 1
    hosts: bool = False  # each domain at an address of its own, not all at one smart host
    recipients: int = 1
    connections: int = 20
    out: int = 20  # connections to a destination at most
    shards: int = 1
    pipelining: bool = False
    chunking: str = "none"  # who sends by BDAT: the source ("in"), the relay ("out"), "both"
    rate: float = 0  # messages a second; 0: as fast as it goes
    warm_up: int = 1000
    traced: int = 2000  # messages whose system calls are counted; 0: none
    log_level: str = "info"
    disable: tuple = ()

    def config(self, folder, port, sink_port):
        routes = ([(f"d{n}.{SUFFIX}", host(n)) for n in range(self.domains)] if self.hosts else
                  [("*", "127.0.0.1")])
        text = CONFIG.format(dir=folder, load=self, port=port, bdat_out=str(self.bdat_out).lower())
        if self.disable:
            names = ", ".join(f'"{name}"' for name in self.disable)
            text += f"\n[io]\ndisable = [{names}]\n"
        return text + "".join(ROUTE.format(domain=d, address=a, port=sink_port)
                              for d, a in routes)

    def source_arguments(self, port):
        arguments = ["--to", f"127.0.0.1:{port}", "--size", self.size, "--domains", self.domains,
                     "--suffix", SUFFIX, "--recipients", self.recipients, "--connections",
                     self.connections, "--rate", self.rate]
        if self.chunking in ("in", "both"):
            arguments.append("--chunking")
        return arguments + ["--pipelining"] if self.pipelining else arguments

    @property
    def bdat_out(self):
        return self.chunking in ("out", "both")

    def sink_arguments(self):
        return ["--chunking"] if self.bdat_out else []

    def words(self):
        if self.domains == 1:
            where = "1 domain"
        elif self.hosts:
            where = f"{self.domains:,} domains at addresses of their own"
        else:
            where = f"{self.domains:,} domains, one smart host"
        return (f"{self.messages:,} messages of {self.size}, "
                + (f"{self.recipients} recipients each, " if self.recipients > 1 else "")
                + f"{where}, {self.connections} connections"
                + (", pipelining" if self.pipelining else "")
                + (f", BDAT {self.chunking}" if self.chunking != "none" else "")
                + f", {self.shards} shard{'s' if self.shards > 1 else ''}")
