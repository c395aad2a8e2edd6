"""Certificates for one test: an authority, and what it signs, as PEM files."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


class Authority:
    """Signs certificates; `certificate` is the file of its own."""

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(certificate)

    def issue(self, folder: Path, name: str, password: str = "") -> tuple[Path, Path]:
        """Certificate and key for 127.0.0.1, as files; with `password` the key is encrypted."""
        issued = self._authority.issue_cert("127.0.0.1", "localhost", common_name=name)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        for n, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(certificate, append=n > 0)
        pem = issued.private_key_pem.bytes()
        if password:
            locked = BestAvailableEncryption(password.encode())
            private = load_pem_private_key(pem, None)
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, locked)
        key.write_bytes(pem)
        return certificate, key
