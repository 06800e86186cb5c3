"""What every relay of the comparison can do: be set up, start, be killed, try its queue again.

One class a relay, in the file of its name; its configuration is in bench/peers/<name>/, where
@word@ stands for what only the run knows."""

import pathlib
import re
import shutil
import time

from comparing import load
from comparing.meter import Meter
from comparing.packages import unpack
from comparing.room import Room
from comparing.trouble import DidNotStart, Trouble

PEERS = pathlib.Path(__file__).resolve().parents[1] / "peers"
START_SECONDS = 30


class Relay:
    name = ""
    # Whether a message that was accepted is on the disk: what its 250 promises (RFC 5321 6.1).
    durable = ""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        folder.mkdir()
        self.port, self.sink_port = load.free_ports(2)
        self.version = ""
        self.meter = Meter(self.name)

    def configuration(self, file, **values):
        """The text of a file in bench/peers/<name>/ with its @words@ replaced."""
        values = {"port": self.port, "sink": self.sink_port, **values}
        text = (PEERS / self.name / file).read_text()
        return re.sub(r"@(\w+)@", lambda match: str(values[match.group(1)]), text)

    def destinations(self):
        return load.destinations(max(self.options.domains))

    def set_up(self):
        """Once: programs, configuration, routes. Sets `version`."""

    def prepare(self, clean):
        """Everything before begin(), with an empty queue if `clean`."""

    def begin(self):
        """Starts its processes."""

    def start(self, clean=True):
        """Prepares and begins. Returns when it listens."""
        try:
            self.prepare(clean)
            self.begin()
            self.wait_until_it_listens()
        except Trouble as trouble:
            raise DidNotStart(f"did not start: {trouble}") from None

    def wait_until_it_listens(self):
        end = time.monotonic() + START_SECONDS
        while not load.listens(self.port):
            if time.monotonic() > end:
                raise Trouble(f"nobody listens after {START_SECONDS} s: {self.last_words()}")
            time.sleep(0.005)

    def last_words(self):
        """The end of its log."""
        return ""

    def try_again(self):
        """Has it try everything in its queue now, by the command that its operators have."""

    def kill(self):
        """Ends all its processes at once, without warning."""

    def close(self):
        self.kill()
        self.meter.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class PackagedRelay(Relay):
    """One of Debian's, in a room."""

    packages = ()
    users = ()
    groups = ()
    log = ""  # below /var

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.root = options.dir / "packages" / self.name
        self.room = Room(self.root, folder, self.users, self.groups)
        self.commands = []

    def set_up(self):
        self.version = unpack(self.root, self.packages)
        self.room.furnish(self.files())

    def files(self):
        """What is below /etc: {name: text}."""
        return {}

    def lay_out(self):
        """Folders in a new /var."""

    def index_routes(self):
        """In the new room: makes a table of the routes in /etc."""

    def prepare(self, clean):
        if clean:
            self.room.empty()
            self.lay_out()
        self.room.open(self.meter.enter)
        self.meter.follow(self.room.process.pid)
        self.index_routes()

    def last_words(self):
        path = self.folder / self.log.lstrip("/")
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return " / ".join(lines[-3:])

    def kill(self):
        self.room.close()
        for command in self.commands:
            command.wait()
        self.commands = []
