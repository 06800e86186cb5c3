"""outbox doctor, against nsd and unbound, and against the machine: a host that is as it should be,
and everything that is wrong, one after the other, each with what it says to do about it."""

import ctypes
import json
import os
import resource
import socket
import subprocess

from harness import BIN, PATIENCE, Scenario, free_port, main
from names import Names, WrongServer

V4, V6, OTHER = "192.0.2.10", "2001:db8::10", "192.0.2.11"
DNS_GROUPS = ("resolver", "address", "domain", "spf", "dkim", "dmarc")
CONFIG = """
[resolver]
servers = ["{servers}"]
"""
RSA_2048 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtlMzkuSk7cucvmqqsxW0Vwzu97AtRGsZLvki92gsKFbR"
    "t6RHZRGdO0tTe8drvL5tJiVcDu6ohC2DyAvLG/VqSAMwbShtvXrJ+G4K8uhl8mXsTNgKVW6BIa/JeliDTBAP7bHa"
    "Gfd7QWmXti0MMCXUCj2DGr72ehdUOeFxFWiA6APUTvOjOCWPrxY+5UgkVTKQYQelNJV6dtJnUQvEAdtMJHNvhNgx"
    "V4gLxk3Wc8qkNaRR9XT2MrysW2DKN5crczcJJ/wEMCV31IAi6EDBJuun2uj8UXkVtu3hOOeem3Cc72lrmmuo3gEt"
    "Z0sOKG5Xm9+02zrEDJjkO238wtlk9fo4PQIDAQAB")
RSA_512 = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANH3xB8i8Qg8SUm5oSDeS78fviAGVUPXQNkZ1Rqke/yA4y6S+r6UPikS"
    "vBJ+VVE+5EjRGn7+rcvEG0Lqt7dT5HkCAwEAAQ==")

# What a container often says to io_uring_setup: 425 on every machine.
FORBIDDEN = 425
# A network of its own, with these addresses on an interface that routes lead to.
NETWORK = """
ip link set lo up
ip link add one type veth peer name other
ip link set one up
ip link set other up
ip address add {v4}/32 dev one
ip route add default dev one src {v4}
ip -6 address add {v6}/64 dev one nodad
ip -6 route add default dev one
exec "$@"
"""


def forbid_io_uring():
    """EPERM for io_uring_setup, from now on in this process: a seccomp filter."""
    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                    ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]

    load, equal, give = 0x20, 0x15, 0x06
    filters = (Filter * 4)(Filter(load, 0, 0, 0), Filter(equal, 0, 1, FORBIDDEN),
                           Filter(give, 0, 0, 0x00050001), Filter(give, 0, 0, 0x7fff0000))
    program = Program(len(filters), filters)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if (libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0 or
            libc.prctl(set_seccomp, filter_mode, ctypes.byref(program), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "prctl")


def txt(name, text):
    """A TXT record in strings of 200 octets."""
    pieces = [text[i:i + 200] for i in range(0, len(text), 200)]
    return name + " TXT " + " ".join(f'"{piece}"' for piece in pieces)


class Doctor(Scenario):
    def relay(self, servers, more="", start=False):
        return self.outbox(CONFIG.replace("{servers}", '", "'.join(servers)) + more, start=start)

    def run_doctor(self, *arguments, before=None, inside=()):
        """`before`: done by its process first; `inside`: the command that it is an argument of."""
        return subprocess.run(
            [str(a) for a in (*inside, BIN / "outbox", "doctor", *arguments)], capture_output=True,
            text=True, timeout=3 * PATIENCE, preexec_fn=before)

    def findings(self, *arguments, exits=None, **options):
        """What it finds, as a list of objects."""
        done = self.run_doctor("--json", *arguments, **options)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(done.stderr, "")
        failed = any(one["level"] == "fail" for one in found)
        self.assertEqual(done.returncode, 1 if failed else 0, found)
        if exits is not None:
            self.assertEqual(done.returncode, exits, found)
        for one in found:
            if one["level"] in ("warn", "fail"):
                self.assertTrue(one["fix"].endswith("."), one)
        return found

    def assert_found(self, found, group, level, text, fix=""):
        for one in found:
            if one["group"] == group and one["level"] == level and text in one["finding"]:
                self.assertIn(fix, one.get("fix", ""))
                return
        self.fail(f"no {level} in {group} with {text!r}: "
                  + "\n".join(str(one) for one in found if one["group"] == group))


class DoctorAndTheDns(Doctor):
    def setUp(self):
        super().setUp()
        self.names = Names(self)
        self.relay_ = None

    def look(self, *arguments, **options):
        """At the DNS alone, for the addresses and the domain of these scenarios."""
        if self.relay_ is None:
            self.names.start()
            self.relay_ = self.relay([self.names.address])
        return self.findings("--config", self.relay_.config, "--only", "dns", *arguments, **options)

    def test_a_host_that_is_as_it_should_be(self):
        zone = self.names.zone
        zone("outbox.test", "@ MX 10 mx\nmx A 192.0.2.1\n"
             f"relay A {V4}\nrelay AAAA {V6}\n" + txt("relay", "v=spf1 a -all") + "\n" +
             txt("@", "v=spf1 include:_spf ~all").replace("_spf", "_spf.outbox.test") + "\n" +
             txt("_spf", f"v=spf1 ip4:{V4} ip6:2001:db8::/64 -all") + "\n" +
             txt("s1._domainkey", "v=DKIM1; k=rsa; p=" + RSA_2048) + "\n" +
             txt("_dmarc", "v=DMARC1; p=quarantine; rua=mailto:dmarc@outbox.test"))
        self.names.pointer(V4, "relay.outbox.test")
        self.names.pointer(V6, "relay.outbox.test")
        found = self.look("--address", V4, "--address", V6, "--selector", "s1", exits=0)
        self.assertEqual({one["level"] for one in found}, {"ok"}, found)
        self.assertEqual({one["group"] for one in found}, set(DNS_GROUPS))
        self.assert_found(found, "address", "ok", "PTR relay.outbox.test")
        self.assert_found(found, "address", "ok", f"resolves to {V4}, {V6}")
        self.assert_found(found, "domain", "ok", "MX mx.outbox.test")
        self.assert_found(found, "spf", "ok", f'pass for {V6}: "include:_spf.outbox.test" of '
                          'outbox.test matches: "ip6:2001:db8::/64"')
        self.assert_found(found, "spf", "ok", "strangers get softfail, after 1 of 10 lookups")
        self.assert_found(found, "dkim", "ok", "an RSA key of 2048 bits")
        self.assert_found(found, "dmarc", "ok", "policy quarantine")

    def test_the_sources_of_the_configuration(self):
        zone = self.names.zone
        zone("outbox.test", f"@ MX 10 mx\nmx A 192.0.2.1\nrelay A {V4}\nnews A {OTHER}\n" +
             txt("@", f"v=spf1 ip4:{V4} -all") + "\n" + txt("relay", "v=spf1 a -all") + "\n" +
             txt("news", "v=spf1 a -all"))
        zone("news.test", "@ MX 10 mx\nmx A 192.0.2.1\n" +
             txt("@", f"v=spf1 ip4:{OTHER} -all"))
        zone("shop.test", "@ MX 10 mx\nmx A 192.0.2.1\n" + txt("@", f"v=spf1 ip4:{V4} -all"))
        self.names.pointer(V4, "relay.outbox.test")
        self.names.pointer(OTHER, "news.outbox.test")
        self.names.start()
        self.relay_ = self.relay([self.names.address], f"""
[delivery]
send_from = "main"
[[source]]
name    = "main"
address = "{V4}"
[[source]]
name    = "news"
address = "{OTHER}"
helo    = "news.outbox.test"
[[source]]
name    = "inside"
address = "127.0.0.1"
helo    = "nobody.outbox.test"
[[sender]]
domain    = ["news.test", "shop.test", "*.shop.test"]
send_from = "news"
""")
        found = self.look(exits=1)
        at = {(one["group"], one["what"]): one for one in reversed(found)}
        # TEST-NET addresses are on nobody's machine.
        for name in ("main", "news"):
            self.assertEqual(at["address", f"source {name}"]["level"], "fail")
            self.assertIn("ip address add", at["address", f"source {name}"]["fix"])
        self.assertIn("the Internet cannot see", at["address", "source inside"]["finding"])
        for address, name in ((V4, "relay.outbox.test"), (OTHER, "news.outbox.test")):
            self.assertEqual(at["address", address]["finding"], f"PTR {name}")
            self.assertEqual(at["address", f"HELO {name}"]["level"], "ok")
        nobody = at["address", "HELO nobody.outbox.test"]
        self.assertEqual(nobody["finding"], "the name does not exist")
        self.assertIn('set helo of the source "inside" to a name', nobody["fix"])
        # Each domain with the addresses that its own mail leaves from.
        self.assertIn(f"pass for {V4}", at["spf", "outbox.test"]["finding"])
        self.assertIn(f"pass for {OTHER}", at["spf", "news.test"]["finding"])
        self.assertIn(f"fail for {OTHER}", at["spf", "shop.test"]["finding"])
        self.assertIn(f"ip4:{OTHER}", at["spf", "shop.test"]["fix"])
        self.assertNotIn("*.shop.test", {what for _, what in at})
        self.assertIn(("spf", "news.outbox.test"), at)

    def test_addresses_without_a_name_of_their_own(self):
        zone = self.names.zone
        zone("outbox.test", f"relay A {OTHER}\n@ A 192.0.2.1\n")
        zone("isp.test", f"host-192-0-2-11 A {OTHER}\nelsewhere A 192.0.2.77\n")
        self.names.pointer(OTHER, "host-192-0-2-11.isp.test")
        self.names.pointer("192.0.2.12", "elsewhere.isp.test")
        found = self.look("--address", V4, "--address", OTHER, "--address", "192.0.2.12", exits=1)
        self.assert_found(found, "address", "fail", "no PTR record", "Ask the provider")
        self.assert_found(found, "address", "warn", "looks like a customer's line",
                          f"PTR record of {OTHER} to relay.outbox.test")
        self.assert_found(found, "address", "fail", "elsewhere.isp.test has 192.0.2.77",
                          "elsewhere.isp.test. A 192.0.2.12")
        self.assert_found(found, "address", "warn", f"is not the name of {V4}",
                          f"relay.outbox.test. A {V4}")
        self.assert_found(found, "domain", "note", "no MX record")
        self.assert_found(found, "spf", "fail", "outbox.test has no SPF record",
                          f"v=spf1 ip4:{V4} ip4:{OTHER}")
        self.assert_found(found, "dmarc", "warn", "no DMARC record", "_dmarc.outbox.test.")
        # The same, for a person.
        text = self.run_doctor("--config", self.relay_.config, "--only", "address", "--address", V4)
        self.assertEqual(text.returncode, 1)
        self.assertIn(f"address\n  fail  {V4}", text.stdout)
        self.assertIn("-> Ask the provider of the address", text.stdout)
        self.assertRegex(text.stdout, r"\n\d+ ok, \d+ notes?, \d+ warnings?, \d+ failed\n$")

    def test_policies_of_every_shape(self):
        zone = self.names.zone
        all_domains = {
            "mx.test": (f"@ MX 10 a\na A {V4}", "v=spf1 mx -all", "ok", "pass"),
            "a.test": (f"@ A {V4}", "v=spf1 a/32 -all", "ok", "pass"),
            "ptr.test": (f"mail A {V4}", "v=spf1 ptr -all", "ok", "pass"),
            "exists.test": ("10.2.0.192.in-addr.ok A 127.0.0.2",
                            "v=spf1 exists:%{ir}.%{v}.ok.%{d} -all", "ok", "pass"),
            "redirect.test": ("", "v=spf1 redirect=mx.test", "ok", "pass"),
            "strict.test": ("", "v=spf1 ip4:192.0.2.1 -all", "fail", "fail"),
            "soft.test": ("", "v=spf1 ip4:192.0.2.1 ~all", "fail", "softfail"),
            "neutral.test": ("", "v=spf1 ?all", "warn", "neutral"),
            "typo.test": ("", "v=spf1 ipv4:192.0.2.10 -all", "fail", "permerror"),
            "gone.test": ("", "v=spf1 include:nowhere.test -all", "fail", "permerror"),
            "slow.test": ("", "v=spf1 include:broken.test -all", "fail", "temperror"),
            "loop.test": ("", "v=spf1 include:loop.test -all", "fail", "permerror"),
            "void.test": ("", "v=spf1 a:x.void.test a:y.void.test a:z.void.test -all", "fail",
                          "permerror"),
            # By TCP: no datagram of ours holds it.
            "long.test": ("", "v=spf1 " + " ".join(
                f"ip4:198.51.100.{i}" for i in range(100)) + f" ip4:{V4} -all", "ok", "pass"),
        }
        self.names.pointer(V4, "mail.ptr.test")
        self.names.failing("broken.test")
        for domain, (records, policy, _, _) in all_domains.items():
            zone(domain, records + "\n" + txt("@", policy))
        zone("two.test", txt("@", "v=spf1 mx -all") + "\n" + txt("@", "v=spf1 a -all"))
        arguments = [a for domain in (*all_domains, "two.test") for a in ("--domain", domain)]
        found = self.look("--only", "spf", "--address", V4, *arguments, exits=1)
        of_address = {one["what"]: one for one in reversed(found) if f"for {V4}" in one["finding"]}
        for domain, (_, _, level, result) in all_domains.items():
            one = of_address[domain]
            self.assertEqual((one["level"], one["finding"].split()[0]), (level, result), one)
        self.assert_found(found, "spf", "fail", "2 SPF records", "leave only one")
        self.assertIn(f'"v=spf1 ip4:192.0.2.1 ip4:{V4} -all"', of_address["strict.test"]["fix"])
        self.assertIn("no mechanism", of_address["typo.test"]["finding"])
        self.assertIn("more than 10 lookups", of_address["loop.test"]["finding"])

    def test_keys_and_dmarc(self):
        self.names.zone("outbox.test", "@ MX 0 .\n" +
                        txt("weak._domainkey", "v=DKIM1; p=" + RSA_512) + "\n" +
                        txt("cut._domainkey", "v=DKIM1; p=" + RSA_2048[:300]) + "\n" +
                        txt("old._domainkey", "v=DKIM1; p=") + "\n" +
                        "esp._domainkey CNAME key.esp.test.\n" + txt("_dmarc", "v=DMARC1; p=none"))
        self.names.zone("esp.test", txt("key", "k=rsa; p=" + RSA_2048))
        selectors = ("weak", "cut", "old", "esp", "none")
        found = self.look("--address", V4, *(a for s in selectors for a in ("--selector", s)),
                          exits=1)
        self.assert_found(found, "dkim", "fail", "an RSA key of 512 bits", "2048 bits")
        self.assert_found(found, "dkim", "fail", "no usable key")
        self.assert_found(found, "dkim", "fail", "revoked")
        self.assert_found(found, "dkim", "ok", "an RSA key of 2048 bits")
        self.assert_found(found, "dkim", "fail", "no TXT record", "none._domainkey.outbox.test.")
        self.assert_found(found, "dmarc", "note", "policy none")
        self.assert_found(found, "domain", "fail", "null MX")

    def test_name_servers(self):
        self.names.zone("outbox.test", f"@ MX 10 mx\nmx A {V4}")
        self.names.failing("broken.test")
        self.names.start()
        silent, refusing, by_udp = (WrongServer(self, code) for code in (None, 5, 3))
        look = ("--only", "resolver", "--config")
        relay = self.relay([silent.address, self.names.address, refusing.address, by_udp.address])
        found = self.findings(*look, relay.config, exits=0)
        self.assertEqual([one["what"] for one in found], [
            silent.address, self.names.address, refusing.address, by_udp.address, by_udp.address])
        self.assert_found(found, "resolver", "warn", "did not answer within 3 seconds",
                          "UDP port 53")
        self.assert_found(found, "resolver", "ok", "answers in")
        self.assert_found(found, "resolver", "warn", "answered REFUSED", "access control")
        self.assert_found(found, "resolver", "warn", "does not answer by TCP", "TCP port 53")
        # A domain that nobody can resolve is not the fault of the server.
        relay = self.relay([self.names.address])
        found = self.findings(*look, relay.config, "--domain", "broken.test", exits=0)
        self.assert_found(found, "resolver", "warn",
                          "asked about broken.test, and answers otherwise",
                          "tell whoever runs its DNS")
        # With none of them nothing more is asked.
        relay = self.relay([f"127.0.0.1:{free_port()}", refusing.address])
        found = self.findings("--only", "dns", "--config", relay.config, exits=1)
        self.assertEqual({one["group"] for one in found}, {"resolver"})
        self.assert_found(found, "resolver", "fail", "no name server answers")


class DoctorAndTheMachine(Doctor):
    def setUp(self):
        super().setUp()
        self.relay_ = self.relay([f"127.0.0.1:{free_port()}"])

    def look(self, *groups, **options):
        return self.findings("--config", self.relay_.config, "--only", ",".join(groups) or "system",
                             **options)

    def test_a_daemon_that_runs(self):
        self.relay_.start()
        found = self.look(exits=0)
        self.assert_found(found, "config", "ok", "is good: listeners 1")
        self.assert_found(found, "daemon", "ok", f"process {self.relay_.process.pid}")
        self.assert_found(found, "kernel", "ok", "was made, accepted, written and read")
        self.assert_found(found, "limits", "ok", "(of outboxd)")
        self.assert_found(found, "files", "ok", "a block was written")
        self.assert_found(found, "listeners", "ok", "outboxd greets there")
        self.assertEqual(list(self.relay_.spool.glob("*.tmp")), [])
        # A listener that it has not been told of, and one that is somebody else's.
        receiver = self.receiver()
        text = self.relay_.config.read_text()
        for port in (free_port(), receiver.port):
            text += (f'[[listener]]\naddress = "127.0.0.1:{port}"\n'
                     'relay_from = ["127.0.0.1/32"]\n')
        self.relay_.config.write_text(text)
        found = self.look("listeners", exits=1)
        self.assert_found(found, "listeners", "fail", "outboxd runs, and does not listen", "reload")
        self.assert_found(found, "listeners", "fail", "another program answers there", "ss -ltnp")

    def test_a_daemon_that_does_not_run(self):
        found = self.look("daemon", "listeners", "files", exits=0)
        self.assert_found(found, "daemon", "note", "is not running")
        self.assert_found(found, "listeners", "ok", "is free")
        self.assert_found(found, "files", "note", "outboxd makes it when it starts")
        with socket.create_server(("127.0.0.1", self.relay_.port)):
            found = self.look("listeners", exits=1)
        self.assert_found(found, "listeners", "fail", "is in use", f"sport = :{self.relay_.port}")

    def test_places_that_are_wrong(self):
        spool = self.relay_.spool
        spool.mkdir()
        spool.chmod(0o777)
        log = self.relay_.dir / "events"
        log.write_text("")
        log.chmod(0o644)
        text = self.relay_.config.read_text()
        self.relay_.config.write_text(text + f'[log]\nfile = "{log}"\n')
        found = self.look("files", exits=1)
        self.assert_found(found, "files", "fail", "everybody may change what is there", "chmod o-w")
        self.assert_found(found, "files", "warn", "everybody may read", "chmod o-r")
        spool.chmod(0o750)
        self.relay_.config.write_text(text.replace('"16MiB"', '"900TiB"'))
        found = self.look("files", exits=1)
        self.assert_found(found, "files", "fail", "new mail is refused with 452", "Make room")
        spool.rmdir()
        spool.write_text("")
        self.assert_found(self.look("files", exits=1), "files", "fail", "is no directory")

    def test_too_few_files(self):
        found = self.look("limits", exits=1, before=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (64, 64)))
        self.assert_found(found, "limits", "fail", "the hard limit is 64", "LimitNOFILE")

    def test_io_uring_is_forbidden(self):
        found = self.look("kernel", "files", "dns", exits=1, before=forbid_io_uring)
        self.assert_found(found, "kernel", "fail", "io_uring is forbidden here", "seccomp")
        self.assert_found(found, "resolver", "fail", "nothing can be asked", "--only kernel")
        self.assertEqual({one["group"] for one in found if one["level"] == "fail"},
                         {"kernel", "resolver"})

    def addresses_in(self, v4, v6):
        """What is found about the addresses in a network of its own, where no name server is."""
        inside = ["unshare", "-n" if os.geteuid() == 0 else "-rn", "sh", "-e", "-c",
                  NETWORK.format(v4=v4, v6=v6), "sh"]
        possible = subprocess.run([*inside, "true"], capture_output=True, text=True,
                                  timeout=PATIENCE)
        if possible.returncode != 0:
            self.skipTest(f"no network of its own here: {possible.stderr}")
        return self.look("address", inside=inside)

    def test_addresses_that_the_routes_choose(self):
        found = self.addresses_in(V4, V6)
        self.assertEqual([one["what"] for one in found],
                         [V4, V6, "HELO relay.outbox.test"], found)
        self.assert_found(found, "address", "fail", "its PTR record cannot be looked up")
        # Behind a NAT nobody knows what receivers see but the operator.
        found = self.addresses_in("10.1.2.3", "fd00::3")
        self.assertEqual([one["what"] for one in found],
                         ["10.1.2.3", "fd00::3", "address", "HELO relay.outbox.test"], found)
        self.assert_found(found, "address", "warn", "the Internet cannot see it", "--address")

    def test_a_configuration_that_is_wrong(self):
        self.relay_.config.write_text('hostname = "relay.outbox.test"\nspol = "x"\n')
        found = self.look("files", exits=1)
        self.assert_found(found, "config", "fail", "2:1: unknown key", "docs/configuration.md")
        self.assert_found(found, "files", "note", "not looked at")
        missing = self.findings("--config", self.dir / "missing.toml", "--only", "config", exits=1)
        self.assert_found(missing, "config", "fail", "cannot be read")

    def test_usage(self):
        for arguments, what in ((("--only", "weather"), "expected one of dns, system, config"),
                                (("--address", "192.0.2"), "is not an IP address"),
                                (("--domain", "localhost"), "is no domain"),
                                (("--selector", "a b"), "is no selector")):
            done = self.run_doctor(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(what, done.stderr)


if __name__ == "__main__":
    main()
