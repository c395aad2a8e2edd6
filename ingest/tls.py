"""The certificate of the port that speaks TLS: checked when the gateway starts, not when the first charger comes."""

import ssl
from pathlib import Path

import msgspec

from ingest.errors import IngestError


class TlsFileError(IngestError):
    """A certificate, key or authority that cannot be used; the message names the file."""


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files. With `client_ca` only chargers that show a certificate of one of its authorities get in."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class TlsIdentity:
    """The certificate that the port shows, renewed from its files when they change.

    Raises `TlsFileError` where the files cannot be used; what was shown before stays.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.context = server_context(files)
        self._files = files
        self._seen = self._stamps()

    def renew(self) -> bool:
        """Show the certificate as it stands on disk, if the files changed; gives whether they did.

        Handshakes under way and connections that live keep the one before.
        """
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        server_context(self._files)  # tried on a context of its own first: half a change must not reach the port
        _load_certificate(self.context, self._files)
        return True

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        try:
            stats = [path.stat() for path in (self._files.certificate, self._files.key)]
        except OSError as error:
            raise TlsFileError(f"{error.filename} cannot be read: {error.strerror}") from error
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in stats)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for TLS 1.2 and later. Raises `TlsFileError`: no port may open that is less safe than asked for."""
    for name, path in (("certificate", files.certificate), ("key", files.key), ("client CA", files.client_ca)):
        if path is not None:
            _check_readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, files)
    if files.client_ca is not None:
        try:
            context.load_verify_locations(cafile=files.client_ca)
        except ssl.SSLError as error:
            raise TlsFileError(f"{files.client_ca} holds no usable authority in PEM form: {error.reason}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_certificate(context: ssl.SSLContext, files: TlsFiles) -> None:
    def no_password() -> str:
        raise TlsFileError(f"the key {files.key} is protected by a password; a server needs one without")

    try:
        context.load_cert_chain(files.certificate, files.key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(f"the key {files.key} does not belong to the certificate {files.certificate}") from error
        raise TlsFileError(
            f"{files.certificate} and {files.key} are no certificate and key in PEM form: {error.reason or error}"
        ) from error
    except OSError as error:
        raise TlsFileError(f"{files.certificate} or {files.key} cannot be read: {error}") from error


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            content = file.read(1)
    except OSError as error:
        raise TlsFileError(f"the {name} file {path} cannot be read: {error.strerror}") from error
    if not content:
        raise TlsFileError(f"the {name} file {path} is empty")
