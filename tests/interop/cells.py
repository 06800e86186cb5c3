"""One cell of the table: a message through Outbox with one feature in use, its body compared octet
by octet, and the feature's use looked for in the dialogue and in what the receiving side says."""

import collections
import re
import subprocess
import unittest

from features import TLS
from harness import SLOWNESS, Client, wait_until
from mail_system import says
from message import Message, head_of
from relay import sender_of

PATIENCE_SECONDS = 20 * SLOWNESS

# `state`: "ok", "lacks" (`text`: "Outbox" or "peer"; `why`: if there is something to explain),
# "failed" or "not run" (`why`); "unasked".
Cell = collections.namedtuple("Cell", "state text why", defaults=("", ""))
OK = Cell("ok")


DATA = r"DATA(?=\r\n)"


class Wrong(Exception):
    """The message was carried, but not as it should."""


def guarded(function, *arguments):
    try:
        return function(*arguments)
    except unittest.SkipTest as missing:
        return Cell("not run", why=str(missing))
    except (AssertionError, OSError, Wrong, subprocess.SubprocessError) as error:
        return Cell("failed", why=" ".join(str(error).split())[:400])


def use_in(dialogue, key, token=None):
    """What is missing in the dialogue if the feature was not used; None if it was."""
    mail, rcpt = dialogue.command("MAIL FROM:") or "", dialogue.command("RCPT TO:") or ""
    missing = {
        "plain": None if dialogue.is_clear() and dialogue.command(DATA)
                 else "it was not said in the clear with DATA",
        "starttls": None if dialogue.is_tls_by_starttls() else "no handshake after STARTTLS",
        "implicit": None if dialogue.is_tls_from_the_start() else "no TLS from the first byte",
        "pipelining": None if dialogue.is_pipelined() else "RCPT waited for the answer to MAIL",
        "bdat": None if dialogue.command(r"BDAT \d+") and not dialogue.command(DATA)
                else "it was DATA and not BDAT",
        "smtputf8": None if " SMTPUTF8" in mail else f"no SMTPUTF8 in {mail}",
        "dsn": None if " RET=" in mail and " NOTIFY=" in rcpt else f"none in {mail} and {rcpt}",
    }
    missing["auth"] = missing["starttls"]
    if key == "dsn" and token and f" ENVID={token}" not in mail:
        return f"another ENVID in {mail}"
    return missing[key]


def prove(dialogue, key, token=None):
    missing = use_in(dialogue, key, token)
    if missing:
        raise Wrong(f"{missing}; the last reply was: {dialogue.last_reply()}")


def check_content(message, stored):
    wrong = message.arrived_as(stored)
    if wrong:
        raise Wrong(wrong)


def check_notice(world, message, action, with_envid=True):
    about, recipient = world.catcher.notice_to(message.sender, PATIENCE_SECONDS)
    if recipient.get("Action", "").lower() != action:
        raise Wrong(f"the DSN says {recipient.get('Action')}, not {action}")
    if message.recipient not in recipient.get("Final-Recipient", ""):
        raise Wrong(f"the DSN is about {recipient.get('Final-Recipient')}")
    if with_envid and about.get("Original-Envelope-Id") != message.token:
        raise Wrong(f"the DSN's envelope id is {about.get('Original-Envelope-Id')}")
    if with_envid and message.recipient not in recipient.get("Original-Recipient", ""):
        raise Wrong(f"the DSN's original recipient is {recipient.get('Original-Recipient')}")
    return about.get("Reporting-MTA", "")


def hand_in(port, message, key):
    """Gives a message to Outbox."""
    client = Client(port)
    try:
        client.ehlo()
        mail = f"MAIL FROM:<{message.sender}> BODY=8BITMIME"
        rcpt = f"RCPT TO:<{message.recipient}>"
        if key == "smtputf8":
            mail += " SMTPUTF8"
        if key == "dsn":
            mail += f" RET=HDRS ENVID={message.token}"
            rcpt += f" NOTIFY=SUCCESS ORCPT=rfc822;{message.recipient}"
        for line, wanted in ((mail, 250), (rcpt, 250), ("DATA", 354)):
            code, text = client.say(line)
            if code != wanted:
                raise Wrong(f"Outbox answers {line} with {code} {text}")
        client.send(message.stuffed() + b".\r\n")
        code, text = client.reply()
        if code != 250:
            raise Wrong(f"Outbox answers the final dot with {code} {text}")
    finally:
        client.close()


def carry_to(world, relay, server, key):
    """Has a message brought to a server. (it, what the server has stored, the dialogue)"""
    utf8 = key == "smtputf8"
    message = Message(sender_of(key, server), server.utf8_recipient if utf8 else server.recipient,
                      utf8)
    hand_in(relay.way_out(key).port, message, key)
    try:
        stored = wait_until(lambda: server.find(message.token), "the message", PATIENCE_SECONDS)
    except AssertionError:
        raise Wrong(f"it did not arrive: {relay.story_of(key, message.sender)}") from None
    check_content(message, stored)
    return message, stored, world.in_wires[server.name, key].dialogue()


def without_tls(world, relay, server):
    """To one that offers STARTTLS in vain: opportunistic, the mail goes in the clear."""
    _, _, dialogue = carry_to(world, relay, server, "starttls")
    prove(dialogue, "plain")
    if not any(d.is_tls_by_starttls() for d in world.in_wires[server.name, "starttls"].dialogues):
        raise Wrong("no handshake was tried")
    return Cell("lacks", "peer", f"{server.tls_trouble}. With tls = \"opportunistic\" Outbox tries "
                "it, and then hands the mail over in the clear")


def to_server(world, relay, server, feature):
    """From Outbox to a server."""
    key = feature.key
    if server.lmtp and key in TLS or not relay.has(feature, True):
        return Cell("lacks", "Outbox")
    if not server.has(feature):
        if key == "starttls" and server.tls_trouble:
            return without_tls(world, relay, server)
        return Cell("lacks", "peer", key in TLS and server.tls_trouble or "")
    message, stored, dialogue = carry_to(world, relay, server, key)
    prove(dialogue, key, message.token)
    if key in TLS and not says(server.secured, stored):
        raise Wrong(f"by its own word it was not TLS: {head_of(stored)[:300]}")
    if key == "auth" and not says(server.authenticated, stored):
        raise Wrong(f"by its own word nobody was authenticated: {head_of(stored)[:300]}")
    if key == "dsn":
        reporter = check_notice(world, message, "delivered", server.quotes_dsn)
        if f"mx.{server.name}.test" not in reporter:
            raise Wrong(f"the DSN is from {reporter}")
    return OK


# What Outbox itself says in Received.
PROTOCOLS = {"starttls": "ESMTPS", "implicit": "ESMTPS", "auth": "ESMTPSA",
             "smtputf8": "UTF8SMTP"}


def from_client(world, relay, client, feature):
    """From a client through Outbox to the last host."""
    key = feature.key
    if not relay.has(feature, False):
        return Cell("lacks", "Outbox")
    if key in client.cannot:
        return Cell("lacks", "peer")
    # Haraka says SMTPUTF8 for the sake of a sender only.
    local, sender = ("zoë", "chloé") if key == "smtputf8" else ("known", key)
    message = Message(f"{sender}.from-{client.name}@interop.test", f"{local}@{key}.out.test",
                      key == "smtputf8")
    wire = world.out_wires[client.name, key]
    wire.server_port = relay.port_for(key)
    client.send(key, message, wire.port)
    try:
        stored = wait_until(lambda: world.catcher.find(message.token), "the message",
                            PATIENCE_SECONDS)
    except AssertionError:
        raise Wrong("it did not arrive; Outbox's last reply was: "
                    f"{wire.dialogue().last_reply()}") from None
    check_content(message, stored)
    envid = message.token if client.sets_envid else None
    prove(wire.dialogue(), key, envid)
    ours = re.search(r"^Received: from .*? with (\S+)", head_of(stored), re.M)
    if not ours or ours[1] != PROTOCOLS.get(key, "ESMTP"):
        raise Wrong(f"Outbox's Received has {ours and ours[1]}")
    if key == "dsn":
        reporter = check_notice(world, message, "relayed", envid is not None)
        if "relay.outbox.test" not in reporter:
            raise Wrong(f"the DSN is from {reporter}")
    if key == "plain":
        for other in client.cannot & {"pipelining", "bdat"}:
            if use_in(wire.dialogue(), other) is None:
                raise Wrong(f"it is not expected to use {other}, and does")
    return OK
