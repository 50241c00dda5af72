import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.config import ServerConfig
from serving.errors import ConfigError
from serving.security.credentials import TlsFiles, server_credentials
from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.certificates import Authority, Pair
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, order, run_to_the_end, running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


@asynccontextmanager
async def secured(server: Server, credentials: grpc.ChannelCredentials) -> AsyncIterator[Any]:
    async with grpc.aio.secure_channel(server.address, credentials) as channel:
        yield StylizationServiceStub(channel)


async def reaches(server: Server, credentials: grpc.ChannelCredentials) -> bool:
    """Whether a new connection with these credentials is served."""
    async with secured(server, credentials) as stub:
        code = await stub.ListStyles(pb.ListStylesRequest(), timeout=PATIENCE).code()
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    return bool(code is grpc.StatusCode.OK)


async def test_photos_travel_over_tls(models: Path, authority: Authority) -> None:
    async with (
        running(models, **authority.issue().settings()) as server,
        secured(server, authority.trust()) as stub,
    ):
        assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).width == 40


async def test_a_client_that_trusts_somebody_else_does_not_connect(
    models: Path, authority: Authority, tmp_path: Path
) -> None:
    async with running(models, **authority.issue().settings()) as server:
        assert not await reaches(server, Authority(tmp_path, "stranger").trust())


async def test_plain_text_is_not_served_beside_tls(models: Path, authority: Authority) -> None:
    async with (
        running(models, **authority.issue().settings()) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await StylizationServiceStub(channel).ListStyles(pb.ListStylesRequest())
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_with_a_client_authority_only_its_clients_are_served(
    models: Path, authority: Authority, tmp_path: Path
) -> None:
    clients = Authority(tmp_path, "clients")
    settings = authority.issue().settings() | {"tls_client_ca": clients.file}
    async with running(models, **settings) as server:
        assert await reaches(server, authority.trust(own=clients.issue("camera-1")))
        assert not await reaches(server, authority.trust())
        assert not await reaches(server, authority.trust(own=authority.issue("camera-2")))


async def test_a_renewed_certificate_is_used_for_the_next_connection(
    models: Path, authority: Authority, tmp_path: Path
) -> None:
    pair, successor = authority.issue(), Authority(tmp_path, "successor")
    async with (
        running(models, **pair.settings()) as server,
        secured(server, authority.trust()) as stub,
    ):
        await stub.ListStyles(pb.ListStylesRequest(), timeout=PATIENCE)
        pair.write(successor.issue())
        while not await reaches(server, successor.trust()):
            pass
        assert not await reaches(server, authority.trust())
        # Who is connected already is not disturbed.
        await stub.ListStyles(pb.ListStylesRequest(), timeout=PATIENCE)


async def test_half_a_renewal_leaves_the_old_certificate_in_use(
    models: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    pair = authority.issue()
    async with running(models, **pair.settings()) as server:
        pair.certificate.write_bytes(authority.issue().certificate.read_bytes())
        while "cannot be used, what was read before stays" not in caplog.text:
            assert await reaches(server, authority.trust())
        assert await reaches(server, authority.trust())
    assert "belongs to another certificate" in caplog.text


def refusal_of(files: TlsFiles) -> str:
    with pytest.raises(ConfigError) as refusal:
        server_credentials(files)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_missing_file_is_named(authority: Authority) -> None:
    pair = authority.issue()
    absent = Path("absent.pem")
    assert "cannot read the certificate absent.pem: No such" in refusal_of(
        TlsFiles(absent, pair.key)
    )
    assert "cannot read the private key absent.pem" in refusal_of(
        TlsFiles(pair.certificate, absent)
    )
    assert "cannot read the certificate absent.pem" in refusal_of(
        TlsFiles(pair.certificate, pair.key, absent)
    )


def test_files_in_each_others_place_are_noticed(authority: Authority) -> None:
    pair = authority.issue()
    assert "holds no certificate in PEM format" in refusal_of(TlsFiles(pair.key, pair.key))
    assert "holds no private key in PEM" in refusal_of(TlsFiles(pair.certificate, pair.certificate))
    assert "holds no certificate" in refusal_of(TlsFiles(pair.certificate, pair.key, pair.key))


def test_a_key_of_another_certificate_is_noticed(authority: Authority) -> None:
    pair, other = authority.issue(), authority.issue()
    assert "the key belongs to another certificate" in refusal_of(
        TlsFiles(pair.certificate, other.key)
    )


@pytest.mark.parametrize("part", ["certificate", "key", "client_ca"])
def test_a_damaged_file_is_noticed(authority: Authority, part: str) -> None:
    pair = authority.issue()
    files = {"certificate": pair.certificate, "key": pair.key, "client_ca": authority.file}
    begin, line, *rest = files[part].read_text().splitlines()
    damaged = authority.file.with_name("damaged.pem")
    damaged.write_text("\n".join([begin, line[:-4] + "????", *rest]))
    assert "damaged" in refusal_of(TlsFiles(**{**files, part: damaged}))


def test_an_encrypted_key_is_refused_instead_of_asking_for_a_password(
    authority: Authority,
) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = authority.issue()
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    assert "is encrypted; give one that is not" in refusal_of(TlsFiles(pair.certificate, pair.key))


def test_an_expired_certificate_is_warned_of(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    pair = authority.issue(expired=True)
    server_credentials(TlsFiles(pair.certificate, pair.key))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{pair.certificate}: certificate has expired" in record.getMessage()


def test_a_certificate_that_is_valid_is_not_warned_of(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    pair = authority.issue()
    server_credentials(TlsFiles(pair.certificate, pair.key))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tls_cert": Path("a")}, "belong together"),
        ({"tls_key": Path("a")}, "belong together"),
        ({"tls_client_ca": Path("a")}, "needs tls_cert and tls_key"),
    ],
)
def test_settings_that_are_incomplete_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServerConfig(**settings)


def test_a_server_with_a_wrong_key_does_not_start(models: Path, authority: Authority) -> None:
    pair, other = authority.issue(), authority.issue()
    files = ["--tls-cert", str(pair.certificate), "--tls-key", str(other.key)]
    status, _, error = run_to_the_end("--models", str(models), "--port", "0", *files)
    assert status == 1
    assert "python -m serving: error: " in error
    assert "the key belongs to another certificate" in error


@pytest.mark.parametrize(
    ("host", "tls", "warned"),
    [("0.0.0.0", False, True), ("0.0.0.0", True, False), ("127.0.0.1", False, False)],
)
async def test_plain_text_for_other_machines_is_warned_of(
    models: Path,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    host: str,
    tls: bool,
    warned: bool,
) -> None:
    pair: Pair = authority.issue()
    async with running(models, host=host, **(pair.settings() if tls else {})):
        pass
    assert ("there is no TLS" in caplog.text) is warned


async def test_a_certificate_may_have_comments_in_any_language(
    models: Path, authority: Authority
) -> None:
    pair = authority.issue()
    certificate = pair.certificate.read_bytes()
    pair.certificate.write_bytes("# für die Straße nach Łódź\n".encode() + certificate)
    async with running(models, **pair.settings()) as server:
        assert await reaches(server, authority.trust())
