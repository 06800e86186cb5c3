from comparing.relay import PackagedRelay


class Postfix(PackagedRelay):
    name = "postfix"
    durable = "yes"
    packages = ("postfix",)
    users = ("postfix",)
    groups = ("postdrop",)
    log = "/var/log/postfix.log"

    def files(self):
        transport = "".join(f"{domain} smtp:[{address}]:{self.sink_port}\n"
                            for domain, address in self.destinations())
        return {"postfix/main.cf": self.configuration("main.cf"),
                "postfix/master.cf": self.configuration("master.cf"),
                "transport": transport}

    def lay_out(self):
        self.room.own("/var/lib/postfix", "postfix")
        (self.folder / "var/spool/postfix").mkdir()

    def index_routes(self):
        # /etc is read-only in the room; the map is made where it may be written.
        self.room.run("cp", "/etc/transport", "/var/lib/transport")
        self.room.run("postmap", "hash:/var/lib/transport")

    def begin(self):
        self.room.run("postfix", "start")

    def try_again(self):
        self.room.run("postqueue", "-f", counted=False)
