"""Who is let in by the exporter's server: users and passwords, TLS, certificates of clients."""

import http.client
import ssl
import threading
from base64 import b64encode
from pathlib import Path

import bcrypt
import pytest
import trio
import trio.testing

from resolver import limits_page as limits
from resolver.web_auth import Admission, Guard
from resolver.web_tls import Web, names_of
from tests.unit.certificates import Authority
from tests.unit.web_rig import Rig

PASSWORD = "opens the door"
USERS = {"alice": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4))}


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_users_and_passwords() -> None:
    rig = Rig(Web(users=USERS))
    try:
        status, headers, body = rig.get("/metrics")
        assert status == 401
        assert headers["www-authenticate"] == 'Basic realm="inland", charset="UTF-8"'
        assert b"inland_" not in body
        for header in (
            basic("alice", "wrong"),
            basic("bob", PASSWORD),
            basic("alice", PASSWORD + "\0"),
            basic("alice", "x" * 100),
            "Basic !!!",
            "Basic " + b64encode(b"alice").decode(),
            "Bearer " + PASSWORD,
        ):
            assert rig.get("/", authorization=header)[0] == 401, header
        for _ in range(2):
            assert rig.get("/", authorization=basic("alice", PASSWORD))[0] == 200
        assert rig.get("/healthz")[0] == 200
        rig.server.configure(Web())
        assert rig.get("/metrics")[0] == 200
    finally:
        rig.server.close()


def test_a_right_password_is_checked_once_and_a_wrong_one_each_time() -> None:
    checks: list[bytes] = []

    class Counting(dict[str, bytes]):
        def get(  # type: ignore[override]
            self, user: object, default: object = None
        ) -> bytes | None:
            checks.append(str(user).encode())
            return super().get(str(user))

    async def scenario() -> None:
        guard = Guard(Counting(USERS))
        for _ in range(3):
            assert await guard.admits(basic("alice", PASSWORD)) is Admission.YES
        assert len(checks) == 1
        for _ in range(3):
            assert await guard.admits(basic("alice", "wrong")) is Admission.NO
        assert len(checks) == 4

    trio.run(scenario)


def test_checks_wait_in_a_short_line_and_who_is_known_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[Admission] = []
    gate = threading.Event()
    real = Guard._check

    def gated(guard: Guard, user: str, password: bytes) -> bool:
        gate.wait()
        return real(guard, user, password)

    async def scenario() -> None:
        guard = Guard(USERS)
        assert await guard.admits(basic("alice", PASSWORD)) is Admission.YES
        monkeypatch.setattr(Guard, "_check", gated)

        async def wrong(number: int) -> None:
            found.append(await guard.admits(basic("alice", str(number))))

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(wrong, number)
            await trio.testing.wait_all_tasks_blocked()
            assert set(found) == {Admission.LATER}
            assert await guard.admits(basic("alice", PASSWORD)) is Admission.YES
            gate.set()

    trio.run(scenario)
    assert found.count(Admission.NO) == limits.PASSWORDS_WAITING_MAX + 1
    assert found.count(Admission.LATER) == 30 - found.count(Admission.NO)


def server_context(authority: Authority, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign(name))
    return context


def subject(rig: Rig, context: ssl.SSLContext) -> str:
    """The name in the certificate that the server shows."""
    connection = rig.connect(context)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    peer = connection.sock.getpeercert()  # type: ignore[union-attr]
    connection.close()
    return str(dict(peer["subject"][0])["commonName"])


def test_tls_and_a_renewed_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    rig = Rig(Web(tls=server_context(authority, "first")))
    try:
        trusting = ssl.create_default_context(cafile=authority.file)
        assert rig.server.url.startswith("https://127.0.0.1:")
        assert subject(rig, trusting) == "first"
        kept = rig.connect(trusting)
        kept.request("GET", "/healthz")
        kept.getresponse().read()
        rig.server.configure(Web(tls=server_context(authority, "second")))
        assert subject(rig, trusting) == "second"
        kept.request("GET", "/healthz")  # what was open goes on
        assert kept.getresponse().read() == b"ok\n"
        kept.close()
        assert rig.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")[:4] != b"HTTP"
        assert subject(rig, trusting) == "second"
    finally:
        rig.server.close()


def test_who_does_not_shake_hands_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HTTP_HEAD_SECONDS", 0.2)
    rig = Rig(Web(tls=server_context(Authority(tmp_path), "server")))
    try:
        assert rig.raw(b"\x16\x03\x01") == b""
    finally:
        rig.server.close()


def test_certificates_of_clients(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = server_context(authority, "server")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    rig = Rig(Web(tls=context, sans=frozenset({"scraper"})))
    (tmp_path / "strange").mkdir()
    stranger = Authority(tmp_path / "strange", "strange")
    try:

        def reach(credentials: tuple[Path, Path] | None) -> bool:
            trusting = ssl.create_default_context(cafile=authority.file)
            if credentials is not None:
                trusting.load_cert_chain(*credentials)
            connection = rig.connect(trusting)
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()

        assert reach(authority.sign("scraper"))
        assert not reach(authority.sign("somebody"))
        assert not reach(stranger.sign("scraper"))
        assert not reach(None)
    finally:
        rig.server.close()


def test_names_in_certificates() -> None:
    told = {"subjectAltName": (("DNS", "a.example"), ("IP Address", "192.0.2.1"), ("URI", "u:x"))}
    assert names_of(told) == {"a.example", "192.0.2.1", "u:x"}
    assert names_of({}) == names_of(None) == frozenset()
