"""The exporter's HTTP server: a thread of its own with a loop of its own.

Responsible for connections and their bounds, TLS, who is let in, and whether the program is alive;
what is served says :mod:`resolver.web_site`. HTTP is read by h11 (RFC 9110, RFC 9112). Its thread
is not the driver's, so a scrape or a page never holds up a lookup for longer than the interpreter
takes to change threads.

GET and HEAD only; requests have no bodies. One connection too many ends the oldest.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from typing import Final, NamedTuple, final

import h11
import trio
from prometheus_client.registry import Collector

from resolver import limits_page as limits
from resolver.errors import StateError
from resolver.metrics_web import Refusals
from resolver.web_auth import Admission, Guard
from resolver.web_host import Hosts
from resolver.web_site import Front, Reply, Site, plain
from resolver.web_tls import OPEN, Web, names_of

_log = logging.getLogger("inland")

_LIVE = ("/healthz", "/readyz")
"""Paths that need neither password nor name: they say a word, and who asks them often has none."""

_BUSY_SECONDS: Final = 0.1  # before the next try, when there are no more open files

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@final
class MetricsServer:
    """HTTP on ``address`` in a thread of its own. Without a ``front`` there is no page.

    Raises:
        StateError: the address cannot be bound.
    """

    def __init__(
        self,
        exporter: Collector,
        address: tuple[str, int],
        front: Front | None = None,
        web: Web = OPEN,
        refusals: Refusals | None = None,
    ) -> None:
        self._site = Site(exporter, front)
        self.refusals = refusals or Refusals()
        self._socket = _bind(*address)
        host, port = self._socket.getsockname()[:2]
        self.address: tuple[str, int] = (str(host), int(port))
        self.configure(web)
        self._connections: dict[int, trio.CancelScope] = {}
        self._numbers = 0
        self._driver: trio.lowlevel.TrioToken | None = None
        self._ready = False
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._main, name="metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self.address
        scheme = "http" if self._web.tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def configure(self, web: Web) -> None:
        """Use this for new connections from now on, its users and names for all requests."""
        self._web, self._guard = web, Guard(web.users)
        self._hosts = Hosts(self.address[0], web.names)

    def ready(self, driver: trio.lowlevel.TrioToken) -> None:
        """Lookups are answered from now on; ``driver`` is the token of the loop that does."""
        self._driver, self._ready = driver, True

    def stopping(self) -> None:
        """No new lookups are taken."""
        self._ready = False

    def close(self) -> None:
        """Stop serving and join the thread."""
        self._started.wait()
        if self._token is not None:
            with suppress(trio.RunFinishedError):  # it has ended by itself, which was told
                self._token.run_sync_soon(self._scope.cancel)
        self._thread.join()
        self._socket.close()

    def _main(self) -> None:
        try:
            trio.run(self._run)
        except Exception:  # our fault, and the resolver goes on without it
            _log.exception("a fault of the program: the exporter has ended")
        finally:
            self._started.set()

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._started.set()
        self._socket.setblocking(False)
        listening = trio.socket.from_stdlib_socket(self._socket)
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._remember)
                while True:
                    try:
                        client, _ = await listening.accept()
                    except OSError:  # the client has gone, or there are no more open files
                        await trio.sleep(_BUSY_SECONDS)
                        continue
                    nursery.start_soon(self._serve, trio.SocketStream(client))

    async def _remember(self) -> None:
        """Points of the history, on whole minutes."""
        step = limits.HISTORY_STEP_SECONDS
        while True:
            await trio.sleep(step - time.time() % step)
            self._site.remember()

    async def _serve(self, raw: trio.SocketStream) -> None:
        while len(self._connections) >= limits.HTTP_CONNECTIONS_MAX:
            self._connections.pop(next(iter(self._connections))).cancel()
        self._numbers += 1
        number = self._numbers
        stream: Stream = raw
        try:
            with trio.CancelScope() as scope:
                self._connections[number] = scope
                opened = await self._open(raw)
                if opened is not None:
                    stream = opened
                    await self._converse(stream)
                    await _close(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # the client has gone or does not listen; there is no one to tell
        except Exception:
            _log.exception("a fault of the program in a connection of the exporter")
        finally:
            self._connections.pop(number, None)
            await trio.aclose_forcefully(stream)

    async def _open(self, raw: trio.SocketStream) -> Stream | None:
        """The connection as requests come over it; ``None``: its client is not let in."""
        web = self._web
        if web.tls is None:
            return raw
        stream = trio.SSLStream(raw, web.tls, server_side=True, https_compatible=True)
        with trio.fail_after(limits.HTTP_HEAD_SECONDS):
            await stream.do_handshake()
        if web.sans and not web.sans & names_of(stream.getpeercert()):
            return None
        return stream

    async def _converse(self, stream: Stream) -> None:
        talk = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.HTTP_HEAD_OCTETS_MAX)
        patience = limits.HTTP_HEAD_SECONDS
        for left in range(limits.HTTP_REQUESTS_MAX - 1, -1, -1):
            asked = None
            is_head = False
            try:
                with trio.move_on_after(patience):
                    asked = await _next_request(talk, stream)
                if asked is None:
                    return
                is_head = asked.request.method == b"HEAD"
                reply = await self._answer(asked)
            except h11.RemoteProtocolError as error:
                reply = plain(error.error_status_hint, "this request cannot be read")
            last = not left or reply.status >= 400
            head = h11.Response(
                status_code=reply.status,
                headers=list(_headers(self._web.headers, reply, last)),
                reason=HTTPStatus(reply.status).phrase.encode(),
            )
            events = [head, *([] if is_head else [h11.Data(data=reply.body)]), h11.EndOfMessage()]
            with trio.fail_after(limits.HTTP_WRITE_SECONDS):
                await stream.send_all(b"".join(talk.send(event) or b"" for event in events))
            if talk.our_state is not h11.DONE or talk.their_state is not h11.DONE:
                return
            talk.start_next_cycle()
            patience = limits.HTTP_IDLE_SECONDS

    async def _answer(self, asked: "_Asked") -> Reply:
        request = asked.request
        headers = {name.decode("ascii"): _text(value) for name, value in request.headers}
        target = _text(request.target)
        if asked.has_body:
            return plain(413, "requests have no bodies here")
        if request.method not in (b"GET", b"HEAD"):
            return plain(405, "GET and HEAD only", ("Allow", "GET, HEAD"))
        if target in _LIVE:
            return await self._health(target)
        if not self._hosts.admit(target, headers.get("host")):
            return self._misdirected(headers.get("host", ""))
        match await self._guard.admits(headers.get("authorization")):
            case Admission.NO:
                self.refusals.counts["password"] += 1
                ask = ("WWW-Authenticate", 'Basic realm="inland", charset="UTF-8"')
                return plain(401, "a user and a password are needed", ask)
            case Admission.LATER:
                return plain(503, "too many passwords wait to be checked", ("Retry-After", "5"))
        try:
            return self._site.reply(target, headers)
        except Exception:  # our fault in one reply must not end the others
            _log.exception("a fault of the program in a reply of the exporter")
            return plain(500, "a fault of the program; its log says more")

    def _misdirected(self, host: str) -> Reply:
        if not self.refusals.counts["host"]:  # once: who asks chooses how often, and the text
            words = "metrics: a request for host %.80r was refused; metrics.names lists its names"
            _log.warning(words, host)
        self.refusals.counts["host"] += 1
        return plain(421, "not under this name: metrics.names has those that are answered")

    async def _health(self, path: str) -> Reply:
        if path == "/readyz" and not self._ready:
            return plain(503, "not ready")
        if self._driver is not None and not await _turns(self._driver):
            return plain(503, "the driver does not turn")
        return plain(200, "ok")


def _headers(always: Mapping[str, str], reply: Reply, last: bool) -> Iterator[tuple[str, str]]:
    yield "Date", formatdate(usegmt=True)
    yield "Content-Type", reply.kind
    yield "Content-Length", str(len(reply.body))
    yield "Cache-Control", "no-store"
    yield from always.items()
    yield from reply.more
    if last:
        yield "Connection", "close"


class _Asked(NamedTuple):
    """A request, and whether more comes than its head."""

    request: h11.Request
    has_body: bool


async def _next_request(talk: h11.Connection, stream: Stream) -> _Asked | None:
    """The next request; ``None``: there is no more.

    Raises:
        h11.RemoteProtocolError: it cannot be read.
    """
    request: h11.Request | None = None
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(bytes(await stream.receive_some(limits.HTTP_HEAD_OCTETS_MAX)))
        elif isinstance(event, h11.Request):
            request = event
            if talk.they_are_waiting_for_100_continue:
                return _Asked(event, True)
        elif request is not None and isinstance(event, h11.Data | h11.EndOfMessage):
            return _Asked(request, isinstance(event, h11.Data))
        else:
            return None


async def _turns(driver: trio.lowlevel.TrioToken) -> bool:
    """Whether another loop does something when it is asked to."""
    here, turned = trio.lowlevel.current_trio_token(), trio.Event()

    def turn() -> None:
        with suppress(trio.RunFinishedError):  # nobody waits any more
            here.run_sync_soon(turned.set)

    try:
        driver.run_sync_soon(turn)
    except trio.RunFinishedError:
        return False
    with trio.move_on_after(limits.HTTP_LIVE_SECONDS):
        await turned.wait()
    return turned.is_set()


async def _close(stream: Stream) -> None:
    """Let the last reply be read: a socket that is closed with something unread in it takes back
    what is on its way."""
    with trio.move_on_after(limits.HTTP_CLOSE_SECONDS):
        if isinstance(stream, trio.SSLStream):
            await stream.aclose()
        else:
            await stream.send_eof()
            while await stream.receive_some(limits.HTTP_HEAD_OCTETS_MAX):
                pass


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


def _bind(host: str, port: int) -> socket:
    made = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
    try:
        made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(limits.HTTP_CONNECTIONS_MAX)
    except OSError as error:
        made.close()
        raise StateError(
            f"metrics.listen: cannot listen on {host} port {port}: {error.strerror}"
        ) from error
    return made
