# SPDX-License-Identifier: Apache-2.0
"""What is said of a target that is none: each from a real attempt to connect."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdspace_client import swap_for_ticket
from loadtest.drive.obstacles import obstacle
from loadtest.serving import free_port


@asynccontextmanager
async def website(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Some other web server; its port."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """Of a certificate that nobody has reason to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def said_of(url: str) -> str:
    """What stands in the way of a first connection to this address."""
    async with ClientSession() as http:
        with pytest.raises((ClientError, OSError)) as refusal:
            await swap_for_ticket(http, url, "token")
    return obstacle(refusal.value)


async def test_another_web_server_is_not_holdspace() -> None:
    """Its error page is no answer; the status tells a wrong path from a proxy without its server."""
    async with website() as port:
        assert await said_of(f"http://127.0.0.1:{port}") == "no Holdspace answers there (HTTP status 404)"


async def test_nobody_listens() -> None:
    """The word of the operating system."""
    assert await said_of(f"http://127.0.0.1:{free_port()}") == "connection refused"


async def test_an_https_address_of_an_http_server() -> None:
    """A hint at the scheme."""
    async with website() as port:
        assert await said_of(f"https://127.0.0.1:{port}") == "TLS failed: does it speak http://?"


async def test_a_certificate_that_is_not_trusted(self_signed: ssl.SSLContext) -> None:
    """Why, as TLS tells it."""
    async with website(self_signed) as port:
        said = await said_of(f"https://127.0.0.1:{port}")
    assert said.startswith("its certificate is not valid here: self")


async def test_a_server_that_says_nothing() -> None:
    """As one of TLS does, when it is asked without."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        assert await said_of(f"http://127.0.0.1:{port}") in {
            "what answers speaks no HTTP: is it https://?",
            "connection reset by peer",
        }
