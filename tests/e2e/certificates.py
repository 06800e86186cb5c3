"""Certificates of a test, made by the openssl command in the test's own directory."""

import os
import pathlib
import subprocess


class Certificates:
    """A root of its own ("ca.pem") and what it vouches for."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory) / "certificates"
        self.dir.mkdir()
        self.ca = self.dir / "ca.pem"
        self.openssl("req", "-x509", *self.new_key("ca"), "-subj", "/CN=Test root", "-days", "30",
                     "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.dir, check=True, capture_output=True)

    @staticmethod
    def new_key(name, rsa=False):
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        return ["-newkey", *kind, "-noenc", "-keyout", f"{name}.key"]

    def issue(self, name, *names, days=30, rsa=False, ca=True):
        """(certificate, key) for these DNS names and IP addresses. `days` -1: it has expired;
        without `ca` it is vouched for by itself."""
        kinds = (("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names)
        self.openssl("req", "-new", *self.new_key(name, rsa), "-subj", f"/CN={name}",
                     "-addext", "subjectAltName=" + ",".join(kinds), "-out", f"{name}.csr")
        by = ["-CA", "ca.pem", "-CAkey", "ca.key"] if ca else ["-key", f"{name}.key"]
        self.openssl("x509", "-req", "-in", f"{name}.csr", *by, "-copy_extensions", "copyall",
                     "-days", str(days), "-out", f"{name}.new")
        os.rename(self.dir / f"{name}.new", self.dir / f"{name}.pem")
        os.chmod(self.dir / f"{name}.key", 0o600)
        return self.dir / f"{name}.pem", self.dir / f"{name}.key"

    def serial(self, certificate):
        done = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-serial"],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip().split("=")[1]
