"""The shells complete `outbox` with what it really has: bash and zsh, as somebody types."""

import glob
import os
import pty
import select
import shutil
import subprocess
import time
import unittest

from harness import BIN, main

COMMANDS = ["stats", "queue", "why", "retry", "remove", "hold", "release", "route", "reload", "log",
            "talk", "report", "stop", "doctor", "completion", "sites", "suspend", "resume",
            "suspended"]
WAIT_SECONDS = 20 * int(os.environ.get("OUTBOX_SLOWNESS", "1"))


def script(shell):
    return subprocess.run([str(BIN / "outbox"), "completion", shell], check=True,
                          capture_output=True, text=True).stdout


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last of the words."""
        done = subprocess.run(
            ["bash", "--norc", "-c",
             'source <("$0" completion bash) || exit 1\n'
             'complete -p outbox >&2\n'
             'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _outbox\n'
             'printf "%s\\n" "${COMPREPLY[@]}"', str(BIN / "outbox"), "outbox", *words],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("-F _outbox outbox", done.stderr)
        return done.stdout.split()

    def test_bash(self):
        for command in COMMANDS:
            self.assertIn(command, self.complete(""))
        self.assertEqual(self.complete("qu"), ["queue"])
        self.assertEqual(self.complete("--control", "/tmp/x", "qu"), ["queue"])
        self.assertEqual(self.complete("queue", "--colu"), ["--columns"])
        self.assertEqual(self.complete("queue", "--by", "mail"), ["mailhost"])
        self.assertEqual(self.complete("queue", "--state", "sending,def"), ["sending,deferred"])
        self.assertEqual(self.complete("retry", "--al"), ["--all"])
        self.assertEqual(self.complete("stats", "--al"), [])
        self.assertEqual(self.complete("completion", "z"), ["zsh"])
        self.assertEqual(self.complete("hold", "--al"), ["--all"])
        self.assertEqual(self.complete("release", "--older"), ["--older-than"])
        self.assertEqual(self.complete("suspend", "--rea"), ["--reason"])
        self.assertEqual(self.complete("resume", "--si"), ["--site"])
        self.assertEqual(self.complete("route", "t"), ["test"])
        self.assertEqual(self.complete("route", "test", "--hea"), ["--header"])
        self.assertEqual(self.complete("--control", "/tmp/x", "route", "test", "--si"), ["--size"])
        self.assertEqual(self.complete("doctor", "--only", "spf,dk"), ["spf,dkim"])
        # What stands behind these nobody can guess.
        self.assertEqual(self.complete("queue", "--route", ""), [])
        self.assertEqual(self.complete("report", "--since", "--"), [])
        self.assertEqual(sorted(self.complete("report", "--log", "/etc/host")),
                         sorted(glob.glob("/etc/host*")))

    def test_every_option_is_offered(self):
        for command in COMMANDS + ["route test", "dkim keygen", "dkim record"]:
            text = subprocess.run([str(BIN / "outbox"), *command.split(), "--help"], check=True,
                                  capture_output=True, text=True).stdout
            self.assertIn("Examples:", text)
            offered = self.complete(*command.split(), "--")
            for word in text.split("Examples:")[0].split():
                option = word.split(",")[-1]
                if word.startswith(("--", "-h,--")) and option[2:].replace("-", "").isalpha():
                    self.assertIn(option, offered, command)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed: tools/setup --tests")
    def test_zsh(self):
        with Zsh(script("zsh")) as zsh:
            self.assertEqual(zsh.complete("outbox qu"), "outbox queue")
            self.assertEqual(zsh.complete("outbox queue --colu"), "outbox queue --columns")
            self.assertEqual(zsh.complete("outbox queue --by mail"), "outbox queue --by mailhost")
            self.assertEqual(zsh.complete("outbox completion b"), "outbox completion bash")
            self.assertEqual(zsh.complete("outbox hold --al"), "outbox hold --all")
            self.assertEqual(zsh.complete("outbox route te"), "outbox route test")
            self.assertEqual(zsh.complete("outbox route test --hea"), "outbox route test --header")
            self.assertEqual(zsh.complete("outbox doctor --only resolv"),
                             "outbox doctor --only resolver,")


class Zsh:
    """A zsh at a terminal, with the script loaded."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PS1="", HOME="/nonexistent")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        # What is typed is printed on demand, in brackets, instead of being run.
        self.send("unsetopt zle_bracketed_paste 2>/dev/null; PS1= PS2=; unset zle_bracketed_paste\n"
                  "autoload -Uz compinit && compinit -D -u\n"
                  "show() { print -r -- \"[[$BUFFER]]\"; BUFFER=; zle accept-line }\n"
                  "zle -N show; bindkey '^X^X' show; bindkey '^I' complete-word\n")
        self.send("eval \"$(cat <<'END_OF_SCRIPT'\n" + self.text + "END_OF_SCRIPT\n)\"\n")
        self.send("print -r -- lo''aded\n")
        self.read_until("loaded")
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data[:512]):]
            self.drain(0.01)

    seen = ""

    def drain(self, seconds):
        while select.select([self.fd], [], [], seconds)[0]:
            self.seen += os.read(self.fd, 65536).decode(errors="replace").replace("\r", "")

    def read_until(self, text):
        until = time.monotonic() + WAIT_SECONDS
        while text not in self.seen:
            if time.monotonic() > until:
                raise AssertionError(f"zsh did not print {text!r}: {self.seen[-2000:]}")
            self.drain(0.05)
        at = self.seen.index(text)
        before, self.seen = self.seen[:at], self.seen[at + len(text):]
        return before

    def complete(self, line):
        self.send(line + "\t\x18\x18")
        self.read_until("[[")
        return self.read_until("]]").replace("\n", "").strip()


if __name__ == "__main__":
    main()
