"""The local certificate authority: one key that never leaves its directory, a leaf per intercepted host."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clearance.errors import ConfigurationError, Problem
from clearance.runtime.recent import Recent

CERTIFICATE = "clearance-egress-ca.pem"
_BOTH = "clearance-egress-ca-key.pem"  # key and certificate: they fit each other, whoever wrote them
_CA_DAYS = 3_650
_LEAF_DAYS = 30
_RENEWED_AFTER = timedelta(days=1)
_KEPT = 1_024  # hosts
_SKEW = timedelta(hours=1)


class Authority:
    """Belongs to one event loop. Clients trust `certificate`; nobody but this process needs the key."""

    def __init__(self, directory: Path) -> None:
        """Makes the authority where there is none. Raises ConfigurationError."""
        self.certificate = directory / CERTIFICATE
        try:
            self._key, self._certificate = _opened(directory)
        except (OSError, ValueError, TypeError) as error:
            message = f"egress: the certificate authority in {directory} cannot be used"
            hint = f"{type(error).__name__}: remove the directory to have a new one made"
            raise ConfigurationError([Problem("unreadable", message, suggestion=hint)]) from None
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: Recent[tuple[datetime, ssl.SSLContext]] = Recent(_KEPT)

    def context(self, host: str) -> ssl.SSLContext:
        """TLS as this host, HTTP/1.1 only."""
        now = datetime.now(UTC)
        known = self._contexts.get(host)
        if known is None or now - known[0] > _RENEWED_AFTER:
            known = now, self._made(host, now)
            self._contexts.put(host, known)
        return known[1]

    def _made(self, host: str, now: datetime) -> ssl.SSLContext:
        leaf = (
            _builder(self._certificate.subject, _named(host[:64]), self._leaf_key.public_key(), now)
            .not_valid_after(min(now + timedelta(days=_LEAF_DAYS), self._certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_identifier_of(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        with tempfile.NamedTemporaryFile(dir=self.certificate.parent) as file:  # ssl takes files only; 0600
            file.write(_pem_of(self._leaf_key) + leaf.public_bytes(serialization.Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _opened(directory: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    both = directory / _BOTH
    if not both.exists():
        _place(both, _new())
    pem = both.read_bytes()
    key, certificate = serialization.load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("key and certificate do not belong together")
    shown = directory / CERTIFICATE
    if not shown.exists():
        _place(shown, certificate.public_bytes(serialization.Encoding.PEM))
        shown.chmod(0o644)
    return key, certificate


def _place(path: Path, data: bytes) -> None:
    """Whole or not at all; of two processes the first one's stays."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(file.name)


def _new() -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = _named("Clearance egress proxy")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), now)
        .not_valid_after(now + timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem_of(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _identifier_of(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
