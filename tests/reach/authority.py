# SPDX-License-Identifier: Apache-2.0
"""A certificate for an address, from an authority that exists for one test and that one browser is told to trust."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

_LIFE: Final = dt.timedelta(days=1)


class Certified(NamedTuple):
    """Files of a relay, and the flag by which Chromium takes what this authority has signed, and nothing else."""

    certificate: Path
    key: Path
    flag: str


def certified(address: str, folder: Path) -> Certified:
    """A fresh authority, and a chain and key for this address."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of one test")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A relay of one test")])
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    root = _builder(root_name, root_name, root_key).add_extension(constraints, critical=True)
    where = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    leaf = _builder(name, root_name, key).add_extension(where, critical=False)
    chain = [made.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM) for made in (leaf, root)]
    found = Certified(folder / "relay.pem", folder / "relay.key", _trust(root_key))
    found.certificate.write_bytes(b"".join(chain))
    found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - _LIFE).not_valid_after(now + _LIFE)


def _trust(key: ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode()
    return f"--ignore-certificate-errors-spki-list={digest}"
