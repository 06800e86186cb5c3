from comparing.relay import PackagedRelay

# Queue runners at a time when the queue is to be tried again: each delivers one message after the
# other, and they leave to each other what is being delivered.
RUNNERS = 16


class Exim(PackagedRelay):
    name = "exim"
    durable = "yes"
    packages = ("exim4-daemon-light", "exim4-base")
    users = ("Debian-exim",)
    log = "/var/log/exim4/mainlog"

    def files(self):
        routes = "".join(f"{domain}: {address}\n" for domain, address in self.destinations())
        return {"exim4/exim4.conf": self.configuration("exim4.conf"), "routes": routes}

    def lay_out(self):
        self.room.own("/var/spool/exim4", "Debian-exim", 0o750)
        self.room.own("/var/log/exim4", "Debian-exim", 0o750)

    def index_routes(self):
        self.room.run("exim_dbmbuild", "/etc/routes", "/var/lib/routes")

    def begin(self):
        self.room.run("exim4", "-bd", "-q30m")

    def try_again(self):
        self.commands = [c for c in self.commands if c.poll() is None]
        for _ in range(RUNNERS - len(self.commands)):
            self.commands.append(self.room.begin("exim4", "-qff"))
