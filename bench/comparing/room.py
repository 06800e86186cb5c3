"""A room: the processes of one relay, in mount and process namespaces of their own.

In it the unpacked packages seem to be installed, at the paths that are compiled into them, with a
/var, a /run and accounts of their own, whatever mail system the machine has. The relay's files are
thus the ones that a guide would write, /etc/postfix/main.cf say, and none of the machine's changes.
When a room ends, the kernel kills every process in it: that is also how "kill -9" is done."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from comparing.trouble import Trouble

INIT = pathlib.Path(__file__).with_name("room_init.py")
# Of the relay's own accounts; not in use on a fresh system, and only seen in the room.
FIRST_ID = 61001


def accounts(table, lines):
    """A passwd or group file of the machine with our lines instead of those of the same name."""
    ours = {line.split(":")[0] for line in lines}
    kept = [line for line in pathlib.Path(table).read_text().splitlines()
            if line.split(":")[0] not in ours]
    return "\n".join(kept + lines) + "\n"


class Room:
    """`root`: the unpacked packages. `home`: a folder for etc/ and var/. `users`: accounts, each
    with a group of the same name. `groups`: more groups."""

    def __init__(self, root, home, users, groups=()):
        self.root, self.home = root, home
        self.ids = {name: FIRST_ID + i for i, name in enumerate([*users, *groups])}
        self.users = users
        self.process = None
        for path in (root, home):
            if set(str(path)) & set(":,\\"):
                raise Trouble(f"a ':', ',' or '\\' in {path}: choose another --dir")

    def furnish(self, files):
        """Writes /etc: accounts, a resolver that answers nothing at once, and `files`."""
        etc = self.home / "etc"
        shutil.rmtree(etc, ignore_errors=True)
        users = [f"{n}:x:{self.ids[n]}:{self.ids[n]}::/nonexistent:/usr/sbin/nologin"
                 for n in self.users]
        groups = [f"{n}:x:{i}:" for n, i in self.ids.items()]
        files = {"passwd": accounts("/etc/passwd", users), "group": accounts("/etc/group", groups),
                 # Nobody listens there: a look-up is refused at once and does not time out.
                 "resolv.conf": "nameserver 127.0.0.1\n", **files}
        for name, text in files.items():
            path = etc / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.empty()

    def empty(self):
        """A new, empty /var."""
        var = self.home / "var"
        shutil.rmtree(var, ignore_errors=True)
        for name in ("lib", "log", "spool", "mail", "tmp"):
            (var / name).mkdir(parents=True)
        (var / "run").symlink_to("/run")

    def own(self, path, user, mode=0o755, group=None):
        """A folder `path` of the room, below /var, that belongs to one of its accounts."""
        folder = self.home / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, self.ids[user], self.ids[group or user])
        folder.chmod(mode)

    def open(self, enter):
        """Starts the room. `enter`: called in each new process, to have its CPU counted."""
        self.enter = enter
        etc = [str(self.home / "etc")] + [str(p) for p in (self.root / "etc",) if p.is_dir()]
        mounts = [
            ["mount", "-t", "overlay", "-o", f"lowerdir={self.root / 'usr'}:/usr", "overlay",
             "/usr"],
            ["mount", "-t", "overlay", "-o", f"lowerdir={':'.join(etc)}:/etc", "overlay", "/etc"],
            ["mount", "--bind", str(self.home / "var"), "/var"],
            ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
        ]
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, "-B", str(INIT), json.dumps(mounts)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=enter)
        said = self.process.stdout.readline().strip()
        if said != "ready":
            self.close()
            raise Trouble(f"cannot make a room of its own, which needs root: {said}")

    def command(self, arguments):
        process = f"/proc/{self.process.pid}/ns"
        return ["nsenter", f"--mount={process}/mnt", f"--pid={process}/pid_for_children",
                *map(str, arguments)]

    def run(self, *arguments, seconds=60, counted=True):
        """Runs a command in the room and returns when it ends, or has become a daemon. Not
        `counted`: its CPU is not the relay's, as that of an operator's command."""
        # Standard output is a file: a daemon that kept a pipe open would keep us waiting.
        said = self.home / "said"
        with open(said, "w+", encoding="utf-8", errors="replace") as output:
            try:
                done = subprocess.run(self.command(arguments), stdin=subprocess.DEVNULL,
                                      stdout=output, stderr=subprocess.STDOUT, timeout=seconds,
                                      preexec_fn=self.enter if counted else None)
            except subprocess.TimeoutExpired:
                raise Trouble(f"{arguments[0]} took more than {seconds} s") from None
        text = said.read_text(errors="replace").strip()
        if done.returncode != 0:
            raise Trouble(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {text}")
        return text

    def begin(self, *arguments):
        """Starts a command in the room and does not wait for it."""
        return subprocess.Popen(self.command(arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                preexec_fn=self.enter)

    def close(self):
        """Kills every process in the room and returns when all of them are gone."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None
