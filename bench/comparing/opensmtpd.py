import os

from comparing.relay import PackagedRelay

# Of lines like "29. [] <-> 127.1.0.30 (127.1.0.30) ND-- nconn=0 ...": D, it is disabled.
RESUME = r"""
smtpctl show routes | sed -n 's/^\([0-9]*\)\. .* [^ ]*D[^ ]* nconn=.*/\1/p' |
  xargs -r -n 1 -P 4 smtpctl resume route > /dev/null"""


class OpenSmtpd(PackagedRelay):
    name = "opensmtpd"
    # Each envelope is synced when it is made (fsync of incoming/envelope.tmp), the content never.
    durable = "envelope"
    packages = ("opensmtpd",)
    users = ("opensmtpd", "opensmtpq")

    def set_up(self):
        super().set_up()
        # Its command talks to the daemon with the rights of this group.
        control = self.root / "usr/sbin/smtpctl"
        os.chown(control, 0, self.room.ids["opensmtpq"])
        control.chmod(0o2555)

    def files(self):
        routes = "".join(f"{domain} smtp+notls://{address}:{self.sink_port}\n"
                         for domain, address in self.destinations())
        return {"smtpd.conf": self.configuration("smtpd.conf"), "routes": routes}

    def lay_out(self):
        (self.folder / "var/spool/smtpd").mkdir(mode=0o711)
        (self.folder / "var/lib/opensmtpd/empty").mkdir(parents=True)

    def begin(self):
        self.room.run("smtpd")

    def try_again(self):
        # A destination that refused connections is a route that is off for a while. They have to be
        # turned on one by one.
        self.room.run("sh", "-c", RESUME, counted=False)
        self.room.run("smtpctl", "schedule", "all", counted=False)
