import shutil
import signal
import subprocess

from comparing import programs
from comparing.relay import Relay
from comparing.trouble import Trouble


class Outbox(Relay):
    name = "outbox"
    durable = "yes"

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.process = None

    def set_up(self):
        done = subprocess.run([str(self.options.bin / "outboxd"), "--version"],
                              capture_output=True, text=True, timeout=30)
        self.version = done.stdout.split()[-1]
        routes = "".join(f'\n[[route]]\nmatch = "{domain}"\nvia = ["{address}:{self.sink_port}"]\n'
                         for domain, address in self.destinations())
        text = self.configuration("outbox.toml", dir=self.folder, shards=self.options.shards)
        (self.folder / "outbox.toml").write_text(text + routes)

    def prepare(self, clean):
        if clean:
            shutil.rmtree(self.folder / "spool", ignore_errors=True)

    def begin(self):
        with open(self.folder / "errors", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                programs.command(self.options.bin, "outboxd", "--config",
                                 self.folder / "outbox.toml"),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                preexec_fn=self.meter.enter)
        self.meter.follow(self.process.pid)
        if self.process.stdout.readline().strip() != "outboxd ready":
            self.kill()
            raise Trouble(self.last_words())

    def last_words(self):
        text = "".join((self.folder / name).read_text(errors="replace")
                       for name in ("errors", "log") if (self.folder / name).exists())
        return " / ".join(text.splitlines()[-3:])

    def try_again(self):
        # Exit 1: nothing is left to try.
        done = subprocess.run([str(self.options.bin / "outbox"), "--control",
                               str(self.folder / "control.sock"), "retry", "--all"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode > 1:
            raise Trouble(f"outbox retry --all: {done.stderr.strip()}")

    def kill(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process = None
