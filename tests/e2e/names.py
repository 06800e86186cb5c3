"""Name servers that we did not write, as tools/setup --tests unpacks them under var/peers/: nsd
with the zones, unbound as the recursive server in front of it; and servers that are wrong on
purpose. All of it on loopback, on ports of its own, without privileges.

    names = Names(self)                       # in a Scenario
    names.zone("example.test", "@ MX 10 mx\\nmx A 127.0.0.2")
    names.pointer("192.0.2.1", "mx.example.test")  # also below 2001:db8::
    names.silent("dead.test")                 # its name servers never answer
    names.failing("broken.test")              # they answer SERVFAIL
    names.start()
    ... '[resolver]\\nservers = ["%s"]' % names.address ...
    names.zone("example.test", "@ MX 10 other\\nother A 127.0.0.3")
    names.reload()                            # nsd has it, unbound has forgotten the old one

Every domain is below "test.", every address with a name is one for documentation. unbound asks
nobody outside of this machine.
"""

import ipaddress
import os
import signal
import socket
import struct
import subprocess
import threading

from harness import PEERS, free_port, wait_until
from peers import need, terminate

NSD = PEERS / "nsd"
UNBOUND = PEERS / "unbound"

NSD_CONF = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  database: ""
  pidfile: "{dir}/nsd.pid"
  logfile: "{dir}/nsd.log"
  xfrdfile: "{dir}/xfrd.state"
  zonelistfile: "{dir}/zone.list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""

ZONE = """
zone:
  name: "{name}"
  zonefile: "{name}.zone"
"""

# The zones of the names of addresses.
REVERSE = ("2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")

UNBOUND_CONF = """
server:
  interface: 127.0.0.1@{port}
  access-control: 127.0.0.0/8 allow
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: "{dir}/unbound.pid"
  logfile: "{dir}/unbound.log"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  do-ip6: no
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  local-zone: "2.0.192.in-addr.arpa." nodefault
  local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
  max-udp-size: 1232
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "{dir}/unbound.control"
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{nsd_port}
"""

STUB = """
stub-zone:
  name: "{name}."
  stub-addr: 127.0.0.1@{port}
  stub-prime: no
"""

SOA = "@ {ttl} IN SOA ns.test. hostmaster.test. {serial} 3600 600 86400 {negative_ttl}\n"


class WrongServer:
    """A name server in a few lines, by UDP: answers every question with `code`, or, with None, not
    at all. Counts the questions."""

    def __init__(self, scenario, code):
        self.code = code
        self.questions = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        scenario.addCleanup(self.close)

    def run(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            self.questions += 1
            if self.code is None or len(question) < 12:
                continue
            end = 12
            while question[end] != 0:
                end += 1 + question[end]
            header = question[:2] + struct.pack(">5H", 0x8180 | self.code, 1, 0, 0, 0)
            self.socket.sendto(header + question[12:end + 5], client)

    def close(self):
        # An empty datagram ends the thread wherever it waits.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()


class Names:
    def __init__(self, scenario, ttl=60, negative_ttl=60):
        need(NSD)
        need(UNBOUND)
        self.scenario = scenario
        self.ttl = ttl
        self.negative_ttl = negative_ttl
        self.serial = 1
        self.zones = {}
        self.pointers = []
        self.stubs = []
        self.dir = scenario.dir / "names"
        self.dir.mkdir()
        self.nsd_port = free_port()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"  # of unbound: for [resolver] servers
        self.nsd = None
        self.unbound = None

    def zone(self, domain, records):
        """Sets all that is known about a domain below test.: lines of a zone file, relative to the
        domain. "" removes it. Before start(), or followed by reload()."""
        self.zones[domain] = records

    def pointer(self, address, name):
        """A PTR record of an address in 192.0.2.0/24 or 2001:db8::/32. Before start(), or followed
        by reload()."""
        self.pointers.append((ipaddress.ip_address(address).reverse_pointer, name))

    def silent(self, domain):
        """Whoever is asked about this domain does not answer. Before start()."""
        self.stubs.append((domain, WrongServer(self.scenario, None)))

    def failing(self, domain):
        """Whoever is asked about this domain answers SERVFAIL. Before start()."""
        self.stubs.append((domain, WrongServer(self.scenario, 2)))

    def start(self):
        self.write_zones()
        conf = self.dir / "nsd.conf"
        conf.write_text(NSD_CONF.format(dir=self.dir, port=self.nsd_port) +
                        "".join(ZONE.format(name=name) for name in ("test", *REVERSE)))
        self.nsd = self.scenario.spawn([NSD / "usr/sbin/nsd", "-d", "-c", conf],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # It ends its children when it is asked to, not when it is killed.
        self.scenario.addCleanup(terminate, self.nsd)
        try:
            wait_until(lambda: self.answers(self.nsd_port), "nsd to answer")
        except AssertionError as error:
            raise AssertionError((self.dir / "nsd.log").read_text()) from error
        self.start_unbound()

    def start_unbound(self):
        conf = self.dir / "unbound.conf"
        text = UNBOUND_CONF.format(dir=self.dir, port=self.port, nsd_port=self.nsd_port)
        for zone in ("test", *REVERSE):
            text += STUB.format(name=zone, port=self.nsd_port)
        for domain, server in self.stubs:
            text += STUB.format(name=domain, port=server.port)
        conf.write_text(text)
        self.unbound = self.scenario.spawn([UNBOUND / "usr/sbin/unbound", "-d", "-c", conf],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.answers(self.port), "unbound to answer")

    def stop_unbound(self):
        """The resolver dies."""
        self.unbound.terminate()
        self.unbound.wait(30)

    def reload(self):
        """The zones as they are now, and nothing in unbound's cache."""
        self.serial += 1
        self.write_zones()
        self.nsd.send_signal(signal.SIGHUP)
        wait_until(lambda: self.serial_of_nsd() == self.serial, "nsd to have the new zones")
        for zone in ("test", *REVERSE):
            subprocess.run([UNBOUND / "usr/sbin/unbound-control", "-c", self.dir / "unbound.conf",
                            "flush_zone", zone], check=True, stdout=subprocess.DEVNULL)

    def write_zones(self):
        records = "ns IN A 127.0.0.1\n"
        for domain, lines in self.zones.items():
            records += f"$ORIGIN {domain}.\n{lines}\n"
        for zone in REVERSE:
            self.write_zone(zone, "".join(f"{owner}. IN PTR {name}.\n"
                                          for owner, name in self.pointers if owner.endswith(zone)))
        self.write_zone("test", records)  # the last one: its serial number says that all are there

    def write_zone(self, name, records):
        text = f"$ORIGIN {name}.\n$TTL {self.ttl}\n"
        text += SOA.format(ttl=self.ttl, serial=self.serial, negative_ttl=self.negative_ttl)
        text += "@ IN NS ns.test.\n" + records
        new = self.dir / f"{name}.zone.new"
        new.write_text(text)
        os.rename(new, self.dir / f"{name}.zone")

    @staticmethod
    def ask(port, name, kind, timeout=1):
        """A question by UDP; the raw answer, or None."""
        wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        question = struct.pack(">6H", 0x4f42, 0x0100, 1, 0, 0, 0)
        question += wire + b"\0" + struct.pack(">2H", kind, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            s.connect(("127.0.0.1", port))
            try:
                s.send(question)
                return s.recv(4096)
            except OSError:
                return None

    def answers(self, port):
        answer = self.ask(port, "ns.test", 1)
        return answer is not None and answer[3] & 15 == 0

    def serial_of_nsd(self):
        answer = self.ask(self.nsd_port, "test", 6)
        # The SOA ends the answer section; what follows is NS and A, so it is found by its numbers.
        at = answer.find(struct.pack(">4I", 3600, 600, 86400, self.negative_ttl)) if answer else -1
        return struct.unpack(">I", answer[at - 4:at])[0] if at > 4 else None
