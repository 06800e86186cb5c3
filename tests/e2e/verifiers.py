"""Who verifies signatures, none of it ours: opendkim, as tools/setup --tests unpacks it, and Perl's
Mail::DKIM. Both ask a name server of the test (names.py) for the keys.

    verifiers = Verifiers(self, names.address)
    verifiers.opendkim([message])   # [[("rsa-sha256", "s1", "outbox.test", "pass"), ...]]
    verifiers.mail_dkim([message])  # the same; Debian 12's knows no ed25519

What is given are texts of messages with CRLF, not dot-stuffed; one process looks at all of them.
"""

import re
import subprocess

from harness import PEERS, PATIENCE
from peers import need

OPENDKIM = PEERS / "opendkim"

OPENDKIM_CONF = """
Mode v
On-Default a
On-SignatureError a
AlwaysAddARHeader yes
MaximumSignaturesToVerify 8
AuthservID verifier.test
ResolverConfiguration {dir}/resolver.conf
DNSTimeout 10
"""

# libunbound's, inside of opendkim.
RESOLVER_CONF = """
server:
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
forward-zone:
  name: "."
  forward-addr: {host}@{port}
"""

# Prints a line for each signature of each file: algorithm, selector, domain, result; then ".".
PERL = r"""
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS::Resolver;
my ($host, $port, @files) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(
    nameservers => [$host], port => $port, recurse => 1, udp_timeout => 10, retry => 2));
for my $file (@files) {
  my $verifier = Mail::DKIM::Verifier->new(Strict => 0);
  open my $message, "<:raw", $file or die "$file: $!";
  while (read($message, my $piece, 65536)) { $verifier->PRINT($piece); }
  $verifier->CLOSE;
  for my $signature ($verifier->signatures) {
    print join(" ", $signature->algorithm, $signature->selector, $signature->domain,
               $signature->result_detail), "\n";
  }
  print ".\n";
}
"""


class Verifiers:
    def __init__(self, scenario, name_server):
        need(OPENDKIM)
        self.scenario = scenario
        self.host, port = name_server.rsplit(":", 1)
        self.port = int(port)
        self.dir = scenario.dir / "verifiers"
        self.dir.mkdir()
        (self.dir / "opendkim.conf").write_text(OPENDKIM_CONF.format(dir=self.dir))
        (self.dir / "resolver.conf").write_text(
            RESOLVER_CONF.format(host=self.host, port=self.port))
        self.count = 0

    def files(self, messages):
        paths = []
        for message in messages:
            self.count += 1
            paths.append(self.dir / f"{self.count}.eml")
            paths[-1].write_bytes(message)
        return paths

    def opendkim(self, messages):
        """As the Authentication-Results say it that opendkim would add."""
        paths = self.files(messages)
        done = subprocess.run(
            [OPENDKIM / "usr/sbin/opendkim", "-x", self.dir / "opendkim.conf", "-t",
             ",".join(map(str, paths)), "-v", "-v"], capture_output=True, text=True,
            timeout=4 * PATIENCE, errors="replace")
        fields = re.findall(r"hname='Authentication-Results' hvalue='verifier.test;(.*?)'$",
                            done.stdout, re.S | re.M)
        self.scenario.assertEqual(len(fields), len(paths), done.stdout + done.stderr)
        return [self.results_in(field) for field in fields]

    @staticmethod
    def results_in(field):
        results = []
        for part in re.sub(r"\([^)]*\)", "", field).split(";"):
            words = part.split()
            if not words or not words[0].startswith("dkim="):
                continue
            known = dict(word.split("=", 1) for word in words if "=" in word)
            results.append((known.get("header.a"), known.get("header.s"), known.get("header.d"),
                            known["dkim"]))
        return results

    def mail_dkim(self, messages):
        done = subprocess.run(
            ["perl", "-e", PERL, self.host, str(self.port), *map(str, self.files(messages))],
            capture_output=True, text=True, timeout=4 * PATIENCE)
        self.scenario.assertEqual(done.stderr, "")
        results = [[]]
        for line in done.stdout.splitlines():
            if line == ".":
                results.append([])
            else:
                results[-1].append(tuple(line.split(" ", 3)))
        self.scenario.assertEqual(len(results), len(messages) + 1)
        return results[:-1]
