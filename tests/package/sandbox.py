"""Starts a service's program as its unit says, on a machine where no systemd runs."""

import ctypes
import errno
import os
import re
import signal
import subprocess

from system import run

CAP_NET_BIND_SERVICE = 10
PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 8, 38, 65
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
SCMP_ACT_KILL_PROCESS, SCMP_ACT_ALLOW, SCMP_CMP_EQ = 0x80000000, 0x7fff0000, 4
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}

libc = ctypes.CDLL(None, use_errno=True)


class ArgumentIs(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Unit:
    """The lines of a .service file; a key that comes several times has several values."""

    def __init__(self, path):
        self.values = {}
        for line in path.read_text().splitlines():
            found = re.match(r"([A-Za-z]+)=(.*)", line)
            if found:
                self.values.setdefault(found.group(1), []).append(found.group(2))

    def one(self, key):
        assert len(self.values.get(key, [])) == 1, f"expected one {key}="
        return self.values[key][0]

    def system_calls(self):
        """What SystemCallFilter= allows: its lines add and take away, in order."""
        allowed = set()
        for line in self.values["SystemCallFilter"]:
            names = set()
            for word in line.lstrip("~").split():
                names |= group_of(word) if word.startswith("@") else {word}
            allowed = allowed - names if line.startswith("~") else allowed | names
        # Always allowed: what a program needs to be started (systemd.exec(5)).
        return allowed | group_of("@default") | {"execve"}


def group_of(name):
    names = set()
    for line in run("systemd-analyze", "syscall-filter", name).splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            names |= group_of(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


def load_filter(names, families):
    """Whatever is not on the list ends the process: stricter than the unit, which says EPERM."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(SCMP_ACT_KILL_PROCESS)))
    for name in sorted(names - {"socket"}):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # of this machine
            assert seccomp.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 0, None) == 0
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        rule = ArgumentIs(0, SCMP_CMP_EQ, FAMILIES[family], 0)
        assert seccomp.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 1,
                                              ctypes.byref(rule)) == 0
    assert seccomp.seccomp_load(context) == 0


def make_read_only(root, writable):
    """ProtectSystem=strict, ReadWritePaths= and the runtime directory."""
    def mount(source, target, flags):
        check(libc.mount(str(source).encode(), str(target).encode(), None,
                         ctypes.c_ulong(flags), None))
    check(libc.unshare(CLONE_NEWNS))
    mount("none", "/", MS_REC | MS_PRIVATE)
    mount(root, root, MS_BIND | MS_REC)
    for path in writable:
        mount(f"{root}{path}", f"{root}{path}", MS_BIND)
    mount("none", root, MS_REMOUNT | MS_BIND | MS_RDONLY)


def become(uid, gid, groups):
    """The user, with one capability and no way to any other."""
    for capability in range(64):
        if capability != CAP_NET_BIND_SERVICE:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # the kernel has fewer: EINVAL
    check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    bit = 1 << CAP_NET_BIND_SERVICE
    check(libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)))
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0))
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0:  # MemoryDenyWriteExecute=; Linux 6.3
        assert ctypes.get_errno() == errno.EINVAL


class Service:
    """A running program of a unit."""

    def __init__(self, system, unit, output):
        uid, gid = system.user(unit.one("User"))
        groups = [gid, system.group(unit.one("SupplementaryGroups"))]
        runtime = "/run/" + unit.one("RuntimeDirectory")
        system.run("install", "-d", "-o", unit.one("User"), "-g", unit.one("Group"), "-m",
                   unit.one("RuntimeDirectoryMode"), runtime)
        writable = [runtime, *unit.one("ReadWritePaths").split()]
        names, families = unit.system_calls(), unit.one("RestrictAddressFamilies").split()

        def prepare():
            make_read_only(system.root, writable)
            os.chroot(system.root)
            os.chdir("/")
            os.umask(int(unit.one("UMask"), 8))
            become(uid, gid, groups)
            load_filter(names, families)

        self.output = output
        with open(output, "ab") as errors:
            self.process = subprocess.Popen(unit.one("ExecStart").split(), preexec_fn=prepare,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        line = self.process.stdout.readline().strip()
        assert line == "outboxd ready", f"{line} {self.process.poll()} {output.read_text()}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        assert code == 0, f"{code} {self.output.read_text()}"

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
