"""A Debian system in a directory, for packages to be installed into."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VAR = ROOT / "var" / "package"
INSIDE = "OUTBOX_PACKAGE_TEST_INSIDE"


def run(*command, **options):
    """Runs it to its end; its output, which the error of a failure has, too."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def mirror():
    """Where this machine gets its packages from: the first deb line of its apt sources."""
    for path in ["/etc/apt/sources.list", *sorted(map(str, pathlib.Path(
            "/etc/apt/sources.list.d").glob("*")))]:
        text = pathlib.Path(path).read_text() if os.path.isfile(path) else ""
        found = (re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+bookworm\s", text, re.M)
                 or re.search(r"^URIs:\s*(\S+)", text, re.M))
        if found:
            return found.group(1)
    raise AssertionError("no mirror in the apt sources of this machine")


def needed_by(packages):
    """The packages that these depend on, without versions."""
    names = set()
    for package in packages:
        for dependency in run("dpkg-deb", "-f", package, "Depends").split(","):
            name = dependency.split("(")[0].split("|")[0].strip()
            if name and not name.startswith("outbox"):
                names.add(name)
    return sorted(names)


def archive_of(packages):
    """A tar file of a small Debian 12 with what `packages` depend on; made when it is missing."""
    names = sorted({"adduser", "logrotate", "procps", *needed_by(packages)})
    archive, witness = VAR / "bookworm.tar", VAR / "bookworm.packages"
    wanted = "\n".join(names)
    if archive.exists() and witness.exists() and witness.read_text() == wanted:
        return archive
    new = VAR / "bookworm.new"
    shutil.rmtree(new, ignore_errors=True)
    run("debootstrap", "--variant=minbase", "--include=" + ",".join(names), "bookworm", new,
        mirror())
    shutil.rmtree(new / "var/cache/apt", ignore_errors=True)
    run("tar", "-C", new, "-cf", archive, ".")
    shutil.rmtree(new)
    witness.write_text(wanted)
    return archive


def go_inside():
    """Starts this program again in namespaces of its own; does not return outside of them."""
    if os.environ.get(INSIDE):
        run("ip", "link", "set", "lo", "up")
        return
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                          "--mount-proc", sys.executable, "-B", *sys.argv])


class System:
    """The unpacked system. Commands run in it as root, or as the user `nobody`."""

    def __init__(self, archive):
        self.root = VAR / "root"
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        run("tar", "-C", self.root, "-xf", archive)
        run("mount", "-t", "proc", "proc", self.root / "proc")

    def close(self):
        run("umount", self.root / "proc")
        shutil.rmtree(self.root)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def run(self, *command, **options):
        return run("chroot", self.root, *command, **options)

    def as_nobody(self, *command, text=""):
        return subprocess.run(
            ["chroot", "--userspec=nobody:nogroup", str(self.root), *command], input=text,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def dpkg(self, *arguments):
        packages = []
        for argument in arguments:
            if isinstance(argument, pathlib.Path):
                shutil.copy(argument, self.root)
                argument = "/" + argument.name
            packages.append(argument)
        return self.run("dpkg", *packages, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                                "DEBIAN_FRONTEND": "noninteractive"})

    def mode(self, inside):
        """ "outbox:outbox 700" """
        return self.run("stat", "-c", "%U:%G %a", inside).strip()

    def user(self, name):
        line = next(line for line in self.path("/etc/passwd").read_text().splitlines()
                    if line.startswith(name + ":"))
        return int(line.split(":")[2]), int(line.split(":")[3])

    def group(self, name):
        line = next(line for line in self.path("/etc/group").read_text().splitlines()
                    if line.startswith(name + ":"))
        return int(line.split(":")[2])
