"""One measurement on loopback: a relay, sinks and sources in a temporary directory below var/, so
that the spool lies on the disk of the source tree. Whatever happens, what was started is ended."""

import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def add_room_options(parser):
    add = parser.add_argument
    add("--bin", type=pathlib.Path, default=ROOT / "build" / "release",
        help="where the programs are")
    add("--dir", type=pathlib.Path, default=ROOT / "var", help="the temporary spool lies below it")
    add("--timeout", type=float, default=85, help="seconds for one run")
    add("--json", action="store_true", help="print one JSON object")


class Room:
    def __init__(self, options, name):
        self.bin = options.bin
        self.name = name
        options.dir.mkdir(parents=True, exist_ok=True)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=options.dir))
        self.programs = []
        self.deadline = time.monotonic() + options.timeout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def give_up(self, what):
        raise SystemExit(f"bench/{self.name}: {what}")

    def wait(self, condition, what, pause=0.02):
        """The first true value of condition()."""
        while not (value := condition()):
            if time.monotonic() > self.deadline:
                self.give_up(f"waited in vain for {what}")
            time.sleep(pause)
        return value

    def ports(self, count):
        """Free ones of 127.0.0.1, all different."""
        sockets = [socket.socket() for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        return ports

    def start_sink(self, port, *more, addresses=("127.0.0.1",)):
        sink = Sink(self, port, more, addresses)
        self.programs.append(sink)
        return sink

    def start_relay(self, config):
        relay = Relay(self, config)
        self.programs.append(relay)
        return relay

    def start(self, command, ready):
        """Another program, which prints the line `ready` when it is."""
        program = Program(self, command, ready)
        self.programs.append(program)
        return program

    def source(self, *arguments):
        """Runs smtp_source until all is accepted; its result."""
        command = [self.bin / "smtp_source", "--seconds-max", self.deadline - time.monotonic(),
                   *arguments]
        done = subprocess.run([str(a) for a in command], capture_output=True, text=True)
        if done.returncode != 0:
            self.give_up(f"smtp_source: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)


class Program:
    def __init__(self, room, command, ready):
        self.room = room
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE,
                                        text=True)
        for line in self.process.stdout:
            if line.strip() == ready:
                return
        self.end()
        room.give_up(f"{command[0]} did not start")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Sink(Program):
    def __init__(self, room, port, more, addresses):
        self.file = room.dir / f"sink-{port}.json"
        listen = [word for address in addresses for word in ("--listen", f"{address}:{port}")]
        super().__init__(room, [room.bin / "smtp_sink", *listen, "--stats", self.file, *more],
                         "smtp_sink ready")

    def stats(self):
        """What it has written down last; it does twice a second."""
        try:
            return json.loads(self.file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {"unique_recipients": 0, "connections_open": 0}

    def stop(self):
        self.end()
        return self.stats()


class Relay(Program):
    def __init__(self, room, config):
        path = room.dir / "outbox.toml"
        path.write_text(config)
        self.control = room.dir / "control.sock"
        super().__init__(room, [room.bin / "outboxd", "--config", path], "outboxd ready")

    def stats(self):
        with socket.socket(socket.AF_UNIX) as control, control.makefile("rw") as stream:
            control.connect(str(self.control))
            stream.write('{"command":"stats"}\n')
            stream.flush()
            return json.loads(stream.readline())

    def wait_for(self, **wanted):
        def reached():
            stats = self.stats()
            return stats if all(stats[k] == v for k, v in wanted.items()) else None
        return self.room.wait(reached, f"{wanted}: {self.stats()}")
