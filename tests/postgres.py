"""A PostgreSQL server of the tests' own that can be killed and started again, durable unless it is asked to be quick."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

START_SECONDS = 30


class PostgresServer:
    """One cluster in a new folder; it listens on 127.0.0.1 only and trusts whoever asks.

    `create` makes and starts it, `start` starts it again on the same port, `stop` ends it in order, `kill` the hard way.
    """

    def __init__(self, folder: Path, port: int, data: Path | None = None, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, volume: Path | None = None, *, durable: bool = True) -> "PostgresServer":
        """With the data on a volume of their own, where one is given, and the write-ahead log elsewhere, as a site should have it.

        One that is not durable waits for no disk: it outlives kills of its processes as any other, only not the machine's.
        """
        # Not below pytest's own folder: that is closed to the user postgres, and a socket's path may not be long.
        folder = Path(tempfile.mkdtemp(prefix="ris-postgres-", dir="/tmp"))
        if owner := _owner():
            shutil.chown(folder, owner, owner)
            if volume:
                shutil.chown(volume, owner, owner)
        server = cls(folder, _free_port(), volume / "data" if volume else None, () if durable else ("-c", "fsync=off"))
        options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-X", str(folder / "wal"))
        server._run("initdb", "-D", str(server.data), *options)
        server.start()
        return server

    def url(self, dbname: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{dbname}"

    def start(self) -> None:
        """Returns when the server answers queries."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder, *self._options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **_as_owner(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the server in order, throwing out who is connected, and removes its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_SECONDS)
            self._process = None
        shutil.rmtree(self.folder)

    def kill(self) -> None:
        """Kills the postmaster and its children; what was not committed is gone, as after a power cut of the program."""
        assert self._process is not None, "the server is not running"
        victims = _children_of(self._process.pid)
        self._process.kill()
        for victim in victims:
            _kill_if_there(victim)
        self._process.wait()
        self._process = None
        # A new postmaster refuses to start while a backend of the old one still holds the shared memory.
        while any(Path(f"/proc/{victim}").exists() for victim in victims):
            time.sleep(0.01)

    def create_database(self, name: str, template: str = "template1") -> str:
        """Returns the new database's URL."""
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Throws out who is still connected."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        """To a database; each statement commits by itself."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=name, autocommit=True)

    def _execute(self, statement: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([_binary(program), *arguments], cwd=self.folder, capture_output=True, text=True, **_as_owner())
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")


def _binary(name: str) -> Path:
    """Of the highest version that Debian's packages installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: `make test` installs it")
    return found[-1]


def _owner() -> str | None:
    """PostgreSQL refuses to run as root; anybody else runs it as themselves."""
    return "postgres" if os.geteuid() == 0 else None


def _as_owner() -> dict:
    if (owner := _owner()) is None:
        return {}
    return {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []}


def _free_port() -> int:
    """Below the range that outgoing connections take theirs from, so that it is still free at a restart."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill_if_there(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
