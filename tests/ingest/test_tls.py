"""A certificate that cannot be used is refused when the gateway starts, by the name of its file."""

import ssl
from pathlib import Path

import pytest

from ingest.tls import TlsFileError, TlsFiles, TlsIdentity, server_context
from tests.ingest.certificates import Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "ca.pem")
    certificate, key = authority.issue(folder, "server")
    return TlsFiles(certificate, key, authority.certificate)


def test_good_files_give_a_context_that_asks_for_what_was_configured(files: TlsFiles) -> None:
    assert server_context(TlsFiles(files.certificate, files.key)).verify_mode == ssl.CERT_NONE
    context = server_context(files)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_file_that_is_not_there_is_named(files: TlsFiles, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    for broken in (
        TlsFiles(missing, files.key),
        TlsFiles(files.certificate, missing),
        TlsFiles(files.certificate, files.key, missing),
    ):
        with pytest.raises(TlsFileError, match=r"missing\.pem cannot be read: No such file"):
            server_context(broken)


@pytest.mark.parametrize("content", [b"", b"no certificate at all\n"])
def test_a_file_without_a_certificate_is_named(files: TlsFiles, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_bytes(content)
    for broken in (
        TlsFiles(bad, files.key),
        TlsFiles(files.certificate, bad),
        TlsFiles(files.certificate, files.key, bad),
    ):
        with pytest.raises(TlsFileError, match=r"bad\.pem"):
            server_context(broken)


def test_a_key_of_another_certificate_is_refused(files: TlsFiles, tmp_path: Path) -> None:
    _, other = Authority(tmp_path / "ca.pem").issue(tmp_path, "other")
    with pytest.raises(TlsFileError, match="does not belong to"):
        server_context(TlsFiles(files.certificate, other))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(files: TlsFiles, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "ca.pem").issue(tmp_path, "locked", password="secret")
    with pytest.raises(TlsFileError, match="protected by a password"):
        server_context(TlsFiles(certificate, key))


def test_half_a_change_of_the_files_never_reaches_the_port(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    files = TlsFiles(*authority.issue(tmp_path, "gateway"))
    identity = TlsIdentity(files)
    assert not identity.renew()
    (tmp_path / "new").mkdir()
    certificate, key = authority.issue(tmp_path / "new", "gateway")
    certificate.replace(files.certificate)
    with pytest.raises(TlsFileError, match="does not belong"):
        identity.renew()
    assert not identity.renew()  # said once
    key.replace(files.key)
    assert identity.renew()
    files.key.unlink()
    with pytest.raises(TlsFileError, match=r"gateway\.key cannot be read"):
        identity.renew()
