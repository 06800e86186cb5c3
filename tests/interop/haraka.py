"""Haraka (npm), both ways."""

import json
import pathlib
import shutil
import subprocess

from features import KEYS, SECRET, TLS, USER
from harness import free_ports, wait_for_port
from mail_system import Forwarder, Server
from node import module_version, need_modules

PLUGIN = pathlib.Path(__file__).with_name("haraka_plugin.js")


class Haraka(Server, Forwarder):
    name = "haraka"
    title = "Haraka"
    cannot = {"implicit", "pipelining", "bdat", "dsn"}  # as a server it has the first two

    def __init__(self, world):
        super().__init__(world)
        modules = need_modules()
        self.port, self.implicit_port = free_ports(2)
        self.dir = world.dir / "haraka"
        config, self.mail = self.dir / "config", self.dir / "mail"
        for folder in (self.mail, self.dir / "plugins", self.dir / "queue"):
            folder.mkdir(parents=True)
        shutil.copytree(modules / "node_modules/Haraka/config", config)
        certificate, key = world.certificates.issue("haraka", "localhost", "127.0.0.1")
        shutil.copyfile(certificate, config / "tls_cert.pem")
        shutil.copyfile(key, config / "tls_key.pem")
        shutil.copyfile(PLUGIN, self.dir / "plugins" / "interop.js")
        hosts = {"directory": str(self.mail)}
        for name in KEYS:
            hosts[f"{name}.out.test"] = {"exchange": "127.0.0.1",
                                         "port": world.out_port(self, name)}
        hosts["auth.out.test"].update(auth_user=USER, auth_pass=SECRET)
        hosts["interop.test"] = {"exchange": "127.0.0.1", "port": world.catcher.port}
        clear = "".join(f"no_tls_hosts[]={name}.out.test\n" for name in KEYS if name not in TLS)
        files = {
            "me": "mx.haraka.test", "plugins": "tls\nauth/flat_file\ninterop\n",
            "interop.json": json.dumps(hosts), "log.ini": "[main]\nlevel=info\n",
            "smtp.ini": f"listen=127.0.0.1:{self.port},127.0.0.1:{self.implicit_port}\n"
                        f"smtps_port={self.implicit_port}\n",
            "tls.ini": f"[outbound]\n{clear}",
            "auth_flat_file.ini": f"[core]\nmethods=PLAIN,LOGIN\nconstrain_sender=false\n"
                                  f"[users]\n{USER}={SECRET}\n",
            "outbound.ini": "local_mx_ok=true\n"}
        for name, text in files.items():
            (config / name).write_text(text)
        # By default it folds lines above 992 octets; RFC 5321 allows 998 and a stuffed dot.
        limits = config / "connection.ini"
        limits.write_text(limits.read_text().replace("data_line_length=992",
                                                     "data_line_length=1001"))
        self.log = self.dir / "log"
        world.spawn(["node", modules / "node_modules/Haraka/bin/haraka", "-c", self.dir],
                    stdout=open(self.log, "wb"), stderr=subprocess.STDOUT)
        wait_for_port(self.port)

    def version(self):
        return module_version("Haraka")

    def files(self):
        return sorted(self.mail.glob("*.eml"))

    def troubles(self):
        return self.log.read_text(errors="replace")
