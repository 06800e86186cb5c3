"""The columns of the table."""

import collections

# `keyword`: what a server's answer to EHLO has that offers it; None: nothing does.
Feature = collections.namedtuple("Feature", "key title keyword")

FEATURES = [
    Feature("plain", "plain", None),
    Feature("starttls", "STARTTLS", "STARTTLS"),
    Feature("implicit", "implicit TLS", None),
    Feature("auth", "AUTH", "AUTH"),
    Feature("pipelining", "PIPELINING", "PIPELINING"),
    Feature("bdat", "BDAT", "CHUNKING"),
    Feature("smtputf8", "SMTPUTF8", "SMTPUTF8"),
    Feature("dsn", "DSN", "DSN"),
]
KEYS = [feature.key for feature in FEATURES]

# How a client comes to each of them.
TLS = {"starttls": "starttls", "implicit": "implicit", "auth": "starttls"}

# Who is let in where AUTH is asked for.
USER = "interop@interop.test"
SECRET = "secret"
