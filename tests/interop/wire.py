"""A wire between a client and a server that writes down what passes: so it is the dialogue, and not
one of the two, that says what was used."""

import re
import socket
import threading

# A pipelining client says RCPT before MAIL is answered; so long the answer is held for it.
HOLD_SECONDS = 1.5


class Dialogue:
    """One connection: pieces of ("C" or "S", octets) in the order in which they passed."""

    def __init__(self):
        self.pieces = []
        self.changed = threading.Condition()

    def add(self, side, data):
        with self.changed:
            self.pieces.append((side, data))
            self.changed.notify_all()

    def said(self, side):
        with self.changed:
            return b"".join(data for who, data in self.pieces if who == side)

    def client(self):
        """What the client said, as text; what follows behind a handshake is noise."""
        return self.said("C").decode("utf-8", errors="replace")

    def command(self, verb):
        """The client's first line that begins so, without its end; None if there is none. Not
        meant for what a message may contain."""
        found = re.search(rf"^{verb}[^\r\n]*", self.client(), re.M | re.I)
        return found[0] if found else None

    def is_tls_from_the_start(self):
        return self.said("C")[:2] == b"\x16\x03" and self.said("S")[:2] == b"\x16\x03"

    def is_tls_by_starttls(self):
        """Nothing but EHLO and STARTTLS was said in the clear; then came handshakes."""
        client = self.said("C")
        return (re.match(rb"(EHLO [^\r\n]*\r\n)+STARTTLS\r\n\x16\x03", client, re.I) is not None
                and b"\r\n\x16\x03" in self.said("S"))

    def is_clear(self):
        return b"\x16\x03" not in self.said("C")[:2] and self.command("STARTTLS") is None

    def has_unanswered(self, first, then):
        """The line `then` came before `first` was answered."""
        with self.changed:
            for number, (side, data) in enumerate(self.pieces):
                if side == "C" and re.search(rb"^" + first.encode(), data, re.M | re.I):
                    rest = self.pieces[number:]
                    break
            else:
                return False
        before_answer = b""
        for side, data in rest:
            if side == "S":
                break
            before_answer += data
        return re.search(rb"^" + then.encode(), before_answer, re.M | re.I) is not None

    def is_pipelined(self):
        return self.has_unanswered("MAIL", "RCPT")

    def last_reply(self):
        lines = self.said("S").decode("utf-8", errors="replace").splitlines()
        return lines[-1][:200] if lines else "no reply"


class Wire:
    """Listens on a port of its own and connects whoever comes to `server_port`, which may be set
    later. With `hold`, the answer to MAIL is passed on a moment later, or when RCPT was said."""

    def __init__(self, server_port=None, hold=False):
        self.server_port, self.hold = server_port, hold
        self.dialogues = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port), timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        dialogue = Dialogue()
        self.dialogues.append(dialogue)
        up = threading.Thread(target=self.pump, args=("C", client, server, dialogue), daemon=True)
        up.start()
        self.pump("S", server, client, dialogue)
        up.join()
        client.close()
        server.close()

    def pump(self, side, source, target, dialogue):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if side == "S" and self.hold:
                    self.wait_for_rcpt(dialogue)
                dialogue.add(side, data)
                target.sendall(data)
        except OSError:
            pass
        for s, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                s.shutdown(how)
            except OSError:
                pass

    @staticmethod
    def wait_for_rcpt(dialogue):
        with dialogue.changed:
            said = b"".join(data for who, data in dialogue.pieces if who == "C")
            if (re.search(rb"^MAIL", said, re.M | re.I)
                    and not re.search(rb"^RCPT", said, re.M | re.I)):
                dialogue.changed.wait(HOLD_SECONDS)

    def dialogue(self):
        """The last one in which more was said than a greeting."""
        for dialogue in reversed(self.dialogues):
            if dialogue.said("C"):
                return dialogue
        return Dialogue()

    def close(self):
        # shutdown ends the thread that waits in accept; close alone does not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
