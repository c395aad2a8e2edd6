"""A real ClickHouse server in a child process, its data in one folder: the default for one machine.

The engine comes with the PyPI package `chdb-core`; the child opens ClickHouse's native port on the loopback, so that
everything speaks to it as to any other server. For anything larger, give the platform the address of a server.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from analytics import embedded_child
from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.embedded_config import Credentials, credentials, write_server_files
from analytics.errors import AnalyticsError
from analytics.process_rank import give_way

READY_TIMEOUT_S: Final = 30.0
LOCK_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 8.0
POLL_S: Final = 0.05
PROBE_TIMEOUT_S: Final = 2.0
PORT_ATTEMPTS: Final = 3
LOOPBACK: Final = "127.0.0.1"
LOCK_NAME: Final = "server.lock"
LOG_LIMIT_BYTES: Final = 1_000_000
NO_ENGINE: Final = (
    "the embedded ClickHouse cannot start: this Python has no usable package chdb-core (tested: 26.9); "
    "run `make install`, or set PILESTREAM_CLICKHOUSE to the address of a ClickHouse server"
)


class EmbeddedServerError(AnalyticsError):
    """The embedded server did not start, or its engine is missing."""


class FolderInUse(EmbeddedServerError):  # noqa: N818 - says it better
    """Another process owns the server of that folder; `EmbeddedServer.find` gives its address."""


class Owner(msgspec.Struct, frozen=True):
    """What the lock file says: which process owns the server, and where it answers (port 0: not yet)."""

    pid: int
    port: int = 0


class EmbeddedServer:
    """The server of one folder; exactly one process owns it at a time.

    `port` and `http_port` are free ones unless given (HTTP is closed unless `http_port` is given; 0 means a free one).
    `niceness`: it is nicer than this process by so much, and waits for it when the processors are short.
    The child has a session of its own, so Ctrl-C does not reach it, and it ends when this process ends, however that
    happens. The lock is held by this process and the child together: the folder is free only when both are gone.
    """

    def __init__(
        self, folder: Path, *, port: int | None = None, http_port: int | None = None, niceness: int = 0
    ) -> None:
        self.folder = Path(folder).absolute()
        self.http_port = http_port
        self.address: ClickHouseAddress | None = None
        self.restarts = 0
        self._wanted_port = port or None
        self._niceness = niceness
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        _servers.add(self)

    @classmethod
    def find(cls, folder: Path, timeout_s: float = READY_TIMEOUT_S) -> ClickHouseAddress | None:
        """The address of the server that another process (or this one) runs on `folder`; None when none runs.

        Waits while it is starting or stopping. Raises `DatabaseUnreachable` when it has an owner and does not answer
        within `timeout_s`.
        """
        folder = Path(folder).absolute()
        deadline = time.monotonic() + timeout_s
        failure: Exception | None = None
        while _is_owned(folder):
            owner = _read_owner(folder)
            if owner is not None and owner.port and _lives(owner.pid):
                try:
                    address = _address(owner.port, credentials(folder))
                    connect(address, answer_timeout_s=PROBE_TIMEOUT_S).disconnect()
                    return address
                except DatabaseUnreachable as error:
                    failure = error
            if time.monotonic() > deadline:
                raise DatabaseUnreachable(f"the embedded ClickHouse of {folder} does not answer") from failure
            time.sleep(POLL_S)
        return None

    def start(self) -> ClickHouseAddress:
        """Start the server and give its address once it answers; does nothing when it runs already.

        The database of the address is `default`; `analytics.migrate` makes the one that is wanted. Raises
        `FolderInUse` when another process owns the folder, `EmbeddedServerError` when the server does not come up.
        """
        if self._process is not None and self.address is not None:
            return self.ensure_running()
        self._prepare_folder()
        self._lock = _take_lock(self.folder)
        try:
            return self._launch(self._wanted_port)
        except BaseException:
            self.stop()
            raise

    def ensure_running(self) -> ClickHouseAddress:
        """Start the server again, on the same port, if it fell; gives its address."""
        if self._process is None or self.address is None:
            return self.start()
        if self._process.poll() is None:
            return self.address
        self.restarts += 1
        return self._launch(self.address.port)

    def stop(self) -> None:
        """Close ClickHouse in order; it is killed when that takes longer than 8 s. Does nothing when it is not up."""
        if self._process is not None:
            self._end_child()
            self._process = None
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None
        self.address = None

    @property
    def pid(self) -> int | None:
        """The process id of the server, None when it is not up."""
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> ClickHouseAddress:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("data", "server"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)

    def _launch(self, port: int | None) -> ClickHouseAddress:
        """Run the child until it answers; a port that another process took in the meantime is tried anew."""
        for attempt in range(PORT_ATTEMPTS):
            chosen = port or _free_port()
            try:
                return self._run_child(chosen)
            except _PortTakenError as error:
                if port is not None or attempt == PORT_ATTEMPTS - 1:
                    raise EmbeddedServerError(str(error)) from error
        raise AssertionError("the last attempt returns or raises")

    def _run_child(self, port: int) -> ClickHouseAddress:
        assert self._lock is not None
        account = credentials(self.folder)
        if self.http_port == 0:
            self.http_port = _free_port()
        write_server_files(self.folder / "server", self.folder / "data", port, self.http_port, account)
        _write_owner(self._lock, Owner(os.getpid()))
        self._process = self._spawn()
        address = _address(port, account)
        self._await_answer(address)
        _write_owner(self._lock, Owner(os.getpid(), port))
        self.address = address
        return address

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        log = self._log_path
        mode = "wb" if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES else "ab"
        with log.open(mode) as output:
            process = subprocess.Popen(
                # -P: the folder of the script must not stand on the child's module path
                [sys.executable, "-P", embedded_child.__file__],
                cwd=self.folder / "server",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
        if self._niceness:
            give_way(process.pid, self._niceness)
        return process

    def _await_answer(self, address: ClickHouseAddress) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT_S
        log_start = self._log_path.stat().st_size
        while True:
            code = self._process.poll()
            if code is not None:
                self._fail(code, address, log_start)
            try:
                connect(address, answer_timeout_s=PROBE_TIMEOUT_S).disconnect()
                return
            except DatabaseUnreachable as error:
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"the embedded ClickHouse did not answer within {READY_TIMEOUT_S:.0f} s; see {self._log_path}"
                    ) from error
            time.sleep(POLL_S)

    def _fail(self, code: int, address: ClickHouseAddress, log_start: int) -> None:
        with self._log_path.open("rb") as log:
            log.seek(min(log_start, max(self._log_path.stat().st_size - 4000, 0)))
            said = log.read().decode("utf-8", errors="replace").strip()
        if code == embedded_child.EXIT_NO_ENGINE:
            raise EmbeddedServerError(f"{NO_ENGINE} ({said.splitlines()[-1] if said else 'no reason given'})")
        if "Address already in use" in said:
            raise _PortTakenError(f"port {address.port} for the embedded ClickHouse is taken; choose another, or none")
        raise EmbeddedServerError(f"the embedded ClickHouse ended with code {code}; {self._log_path} says: {said}")

    def _end_child(self) -> None:
        assert self._process is not None
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            try:
                stdin.write(b"\n")
                stdin.close()
            except BrokenPipeError:
                pass  # the child is gone already, which is what is wanted
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _log_path(self) -> Path:
        return self.folder / "server" / "server.log"

    def _forget_after_fork(self) -> None:
        """A forked worker must hold neither the child's lifeline nor the lock."""
        if self._process is not None and self._process.stdin is not None:
            os.close(self._process.stdin.fileno())
        if self._lock is not None:
            os.close(self._lock)
        self._process = self._lock = self.address = None


class _PortTakenError(EmbeddedServerError):
    """The port was free a moment ago, or was given and is in use."""


_servers: "weakref.WeakSet[EmbeddedServer]" = weakref.WeakSet()


def _forget_all_after_fork() -> None:
    for server in list(_servers):
        server._forget_after_fork()


os.register_at_fork(after_in_child=_forget_all_after_fork)


def _take_lock(folder: Path) -> int:
    """Own the folder. A dead owner's child may still be closing, and `find` holds the lock for a moment: wait."""
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_owner(descriptor, Owner(os.getpid()))
            return descriptor
        except BlockingIOError:
            owner = _read_owner(folder)
            alive = owner is not None and _lives(owner.pid)
            if alive or time.monotonic() > deadline:
                os.close(descriptor)
                who = f"process {owner.pid}" if owner is not None else "another process"
                raise FolderInUse(
                    f"{who} already runs the embedded ClickHouse of {folder}; stop it, or use another folder"
                ) from None
        time.sleep(POLL_S)


def _is_owned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _read_owner(folder: Path) -> Owner | None:
    try:
        return msgspec.json.decode((folder / LOCK_NAME).read_bytes(), type=Owner)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write_owner(descriptor: int, owner: Owner) -> None:
    content = msgspec.json.encode(owner)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _address(port: int, account: Credentials) -> ClickHouseAddress:
    return ClickHouseAddress(LOOPBACK, port, account.user, account.password)
