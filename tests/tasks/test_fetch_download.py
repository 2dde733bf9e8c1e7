"""Downloads from a real server that resets, truncates, refuses and changes its mind; every request is counted."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tasks.exits import UnreachableError
from tasks.fetch.download import download
from tests.tasks._http_server import Answer, Server, etag, serving

BODY = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(250_000)
PATH = "/set.zip"
WHOLE = (PATH, None, None)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        one.files[PATH] = BODY
        yield one


def got(server: Server, to: Path, **settings: object) -> tuple[bytes, list[float]]:
    """What was downloaded, of which nothing else is left, and the waits."""
    waits: list[float] = []
    download(server.url + PATH, to, wait=waits.append, **settings)  # type: ignore[arg-type]
    assert [p.name for p in to.parent.iterdir()] == [to.name]
    return to.read_bytes(), waits


def rest(start: int, of: bytes = BODY) -> tuple[str, str, str]:
    return PATH, f"bytes={start}-", etag(of)


def test_all_at_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert got(server, tmp_path / "new" / "set.zip", told=lambda have, total: told.append((have, total))) == (BODY, [])
    assert server.requests == [WHOLE]
    assert told[0] == (0, 300_000)
    assert told[-1] == (300_000, 300_000)


def test_truncation_is_gone_on_with_from_the_last_byte(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=100_000), Answer(send_bytes=50_000), Answer(status=503), Answer(send_bytes=0)]
    said: list[str] = []
    assert got(server, tmp_path / "set.zip", say=said.append) == (BODY, [1, 1, 1, 2])
    assert server.requests == [WHOLE, rest(100_000), rest(150_000), rest(150_000), rest(150_000)]
    assert server.sent_bytes == [100_000, 50_000, 0, 0, 150_000]
    assert said[2] == "set.zip: the server answered 503 Service Unavailable; again in 1 s, 150000 bytes are there"


def test_a_reset_loses_what_was_under_way_and_nothing_else(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=100_000, end="reset"), Answer(send_bytes=100_000, end="reset")]
    assert got(server, tmp_path / "set.zip")[0] == BODY
    assert len(server.requests) == 3
    starts = [int(re.sub(r"\D", "", wanted or "0")) for _, wanted, _ in server.requests]
    assert 0 <= starts[1] <= 100_000
    assert starts[1] <= starts[2] <= starts[1] + 100_000
    assert server.sent_bytes[2] == 300_000 - starts[2]


def test_a_server_that_does_not_know_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=200_000), Answer(ignores_range=True)]
    assert got(server, tmp_path / "set.zip") == (BODY, [1])
    assert server.requests == [WHOLE, rest(200_000)]
    assert server.sent_bytes == [200_000, 300_000]


def test_a_file_that_changes_between_two_attempts_is_taken_from_its_start(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=200_000)]

    def change(seconds: float) -> None:
        server.files[PATH] = OTHER

    download(server.url + PATH, tmp_path / "set.zip", wait=change)
    assert (tmp_path / "set.zip").read_bytes() == OTHER
    assert server.requests == [WHOLE, rest(200_000)]


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": etag(OTHER), "Content-Range": "bytes 200000-249999/250000"},
        {"ETag": etag(OTHER), "Content-Range": "bytes 200000-299999/300000"},
        {"Content-Range": "bytes 199999-299999/300000"},
        {},
    ],
)
def test_a_part_of_something_else_is_never_appended(server: Server, tmp_path: Path, headers: dict[str, str]) -> None:
    strange = Answer(status=206, headers=headers, body=OTHER[200_000:], without=() if headers else ("Content-Range",))
    server.answers = [Answer(send_bytes=200_000), strange]
    assert got(server, tmp_path / "set.zip") == (BODY, [1, 1])
    assert server.requests == [WHOLE, rest(200_000), WHOLE]


def test_a_part_that_the_server_no_longer_has(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=200_000), Answer(status=416)]
    assert got(server, tmp_path / "set.zip") == (BODY, [1, 1])
    assert server.requests == [WHOLE, rest(200_000), WHOLE]


def test_what_can_be_no_condition_is_taken_from_the_start(server: Server, tmp_path: Path) -> None:
    """Without an ETag its date will do; a weak ETag says nothing of bytes; with neither there is no going on."""
    date = "Sat, 01 Mar 2014 10:00:00 GMT"
    for answer, then in [
        (Answer(send_bytes=9, without=("ETag",)), (PATH, "bytes=9-", date)),
        (Answer(send_bytes=9, headers={"ETag": f"W/{etag(BODY)}"}), (PATH, "bytes=9-", date)),
        (Answer(send_bytes=9, without=("ETag", "Last-Modified")), WHOLE),
    ]:
        server.answers, server.requests = [answer], []
        assert got(server, tmp_path / "set.zip") == (BODY, [1])
        assert server.requests == [WHOLE, then]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_asked_again(server: Server, tmp_path: Path, status: int) -> None:
    server.answers = [Answer(status=status)]
    with pytest.raises(ValueError, match=rf"/set\.zip: the server answered {status} .* look at the set's page"):
        got(server, tmp_path / "set.zip")
    assert server.requests == [WHOLE]
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_not_the_file(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(headers={"Content-Type": "text/html; charset=utf-8"})]
    with pytest.raises(ValueError, match="a web page instead of the file"):
        got(server, tmp_path / "set.zip")
    assert server.requests == [WHOLE]
    assert list(tmp_path.iterdir()) == []


def test_the_server_says_when(server: Server, tmp_path: Path) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    server.answers = [
        Answer(status=503, headers={"Retry-After": "7"}),
        Answer(status=429, headers={"Retry-After": soon}),
        Answer(status=500, headers={"Retry-After": "perhaps"}),
    ]
    body, waits = got(server, tmp_path / "set.zip")
    assert body == BODY
    assert (waits[0], waits[2]) == (7, 4)
    assert 200 < waits[1] <= 300
    server.answers, server.requests = [Answer(status=429, headers={"Retry-After": "7200"})], []
    with pytest.raises(UnreachableError, match="asks to come back in 7200 s"):
        got(server, tmp_path / "set.zip")
    assert server.requests == [WHOLE]


def test_faults_that_do_not_end_keep_what_has_come(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=100_000)] + [Answer(status=502)] * 6
    waits: list[float] = []
    with pytest.raises(UnreachableError, match=r"6 faults in a row, 7 in all\. 100000 bytes are kept"):
        download(server.url + PATH, tmp_path / "set.zip", wait=waits.append)
    assert waits == [1, 1, 2, 4, 8, 16]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.zip.part", "set.zip.part.json"]
    server.answers, server.requests, server.sent_bytes = [], [], []
    assert got(server, tmp_path / "set.zip") == (BODY, [])
    assert server.requests == [rest(100_000)]
    assert server.sent_bytes == [200_000]


def test_nobody_there(tmp_path: Path) -> None:
    with serving() as gone:
        url = gone.url
    waits: list[float] = []
    with pytest.raises(UnreachableError, match="Connection refused; 6 faults in a row"):
        download(url + PATH, tmp_path / "set.zip", wait=waits.append)
    assert waits == [1, 2, 4, 8, 16]


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(headers={"Content-Length": str(10**18)}, send_bytes=0)]
    with pytest.raises(ValueError, match=r"1000000000000000000 bytes are still to come and .* make room"):
        download(server.url + PATH, tmp_path / "set.zip")
    assert (tmp_path / "set.zip.part").read_bytes() == b""


def test_parts_of_another_address_or_without_a_description_are_not_used(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(send_bytes=100_000)] + [Answer(status=502)] * 6
    with pytest.raises(UnreachableError):
        download(server.url + PATH, tmp_path / "set.zip", wait=lambda seconds: None)
    server.answers = []
    description = tmp_path / "set.zip.part.json"
    for spoilt in (description.read_text().replace(PATH, "/other.zip"), '{"url": ', "{}"):
        (tmp_path / "set.zip.part").write_bytes(b"x" * 1000)
        description.write_text(spoilt)
        server.requests = []
        assert got(server, tmp_path / "set.zip") == (BODY, [])
        assert server.requests == [WHOLE]


def test_a_certificate_that_nobody_vouches_for_ends_it_at_once(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(Encoding.PEM)
    (tmp_path / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serving(context) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(UnreachableError, match=r"certificate cannot be verified .* SSL_CERT_FILE"):
            download(url + PATH, tmp_path / "new" / "set.zip", wait=lambda seconds: pytest.fail("it waits"))
        assert server.requests == []
