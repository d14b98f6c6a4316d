"""The database under a ledger: SQLite in a folder, or Postgres. One transaction at a time, or locks on rows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ..errors import ResultError, SettingsError
from ..files import close_to_others, make_private_folder
from ..folders import data_folder
from ..log.alive import hold, is_alive, release
from .migrations import migrate

__all__ = ["Database", "DiskFullError", "LedgerError"]

FOLDER, FILE = "gateway", "ledger.sqlite"
DATABASE_VARIABLE = "TTAPI_DATABASE"
# In seconds.
PATIENCE = 60
CONNECTIONS = 8
SHAPE = "Use postgresql+psycopg://user@host/name, or leave --database out for a file in the data folder."
FULL = re.compile("disk is full|no space left|disk full|could not extend", re.IGNORECASE)


class LedgerError(ResultError):
    """The ledger can't be read or written now."""


class DiskFullError(LedgerError):
    """There is no room for what must be written down first, so nothing is sent."""


class Database:
    """Where the rows are. `url` as SQLAlchemy has it, or None for the environment's or a file in the data folder.

    `folder` is where bodies and answers lie, and the file where there is one. Raises `SettingsError`.
    """

    def __init__(self, url: str | None = None, folder: Path | None = None) -> None:
        self.folder = (folder or data_folder() / FOLDER).absolute()
        address, url = url or _from_environment(), None
        try:
            make_private_folder(self.folder)
        except OSError as error:
            raise SettingsError(
                f"The folder {self.folder} can't be used ({error.strerror}). Name another with TTAPI_DATA."
            ) from None
        self.is_file = address is None or address.startswith("sqlite")
        self.is_default = address is None
        self.engine = self._engine(address)
        try:
            with self.begin() as db:
                migrate(db)
        except BaseException:
            self.engine.dispose()
            raise
        if self.is_file and self.engine.url.database:
            close_to_others(Path(self.engine.url.database))
        self._held: tuple[str, Connection | None] | None = None

    @property
    def address(self) -> str:
        """As `url`, with the password in it."""
        return self.engine.url.render_as_string(hide_password=False)

    def _engine(self, url: str | None) -> Engine:
        problem = f"The database's address can't be used. {SHAPE}"
        try:
            if url is None:
                return _of_sqlite(f"sqlite:///{self.folder / FILE}")
            if self.is_file:
                return _of_sqlite(url)
            if make_url(url).get_backend_name() == "postgresql":
                return create_engine(url, pool_size=CONNECTIONS, max_overflow=2, pool_pre_ping=True)
        except ModuleNotFoundError:
            problem = 'Postgres needs one more package. Install it with: pip install "ttapi-nb[postgres]"'
        except (ArgumentError, NoSuchModuleError):
            pass
        # Not repeated: it may hold a password.
        raise SettingsError(problem)

    @contextlib.contextmanager
    def begin(self, *, write: bool = True) -> Iterator[Connection]:
        """One transaction, on the disk when it ends. Raises `LedgerError`."""
        failure: LedgerError | None = None
        try:
            with self.engine.connect() as plain:
                db = plain.execution_options(writes=write)
                with db.begin():
                    yield db
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
            kind = DiskFullError if FULL.search(reason) else LedgerError
            failure = kind(f"The ledger can't be used ({reason}).")
        if failure is not None:
            raise failure

    # Which gateways live

    def live(self) -> str:
        """Show others that this gateway lives, until `leave` or its end, however that comes; returns its name."""
        if self.is_file:
            # A folder for each, as there may be several in one process.
            own = uuid.uuid4().hex
            name = f"{own}.{hold(self._place_of(own), own)}"
            self._held = name, None
            return name
        number = uuid.uuid4().int >> 66
        # Its own connection: the lock lasts as long as that.
        line = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        line.execute(text("SELECT pg_advisory_lock(:number)"), {"number": number})
        self._held = str(number), line
        return str(number)

    def lives(self, db: Connection, name: str) -> bool:
        """Whether the gateway of that name lives."""
        if self._held is not None and self._held[0] == name:
            return True
        if self.is_file:
            own, _, mark = name.partition(".")
            if is_alive(self._place_of(own), mark) is not False:
                return True
            shutil.rmtree(self._place_of(own), ignore_errors=True)
            return False
        number = int(name)
        row: Any = db.execute(
            text(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND classid = CAST(:high AS oid) AND objid = CAST(:low AS oid) AND objsubid = 1"
            ),
            {"high": number >> 32, "low": number & 0xFFFFFFFF},
        ).first()
        return row is not None

    def leave(self) -> None:
        """This gateway ends."""
        if self._held is not None:
            name, line = self._held
            self._held = None
            if line is not None:
                with contextlib.suppress(SQLAlchemyError):
                    # Now, and not when the server notices that the line is gone.
                    line.execute(text("SELECT pg_advisory_unlock_all()"))
                with contextlib.suppress(SQLAlchemyError):
                    # Not back into the pool: the lock would go on.
                    line.invalidate()
                    line.close()
                return
            own = name.partition(".")[0]
            release(self._place_of(own), own)
            shutil.rmtree(self._place_of(own), ignore_errors=True)

    def _place_of(self, own: str) -> Path:
        return self.folder / "alive" / own

    def close(self) -> None:
        """Let go of all connections."""
        self.leave()
        self.engine.dispose()


def _from_environment() -> str | None:
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(DATABASE_VARIABLE) or None


def _of_sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": PATIENCE, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connected(line: Any, _: object) -> None:
        # The driver's own way of beginning transactions leaves some statements outside of them.
        line.isolation_level = None
        line.execute("PRAGMA journal_mode = WAL")
        line.execute("PRAGMA synchronous = FULL")
        line.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begun(db: Connection) -> None:
        # A writer keeps others out from the start: what it reads is still so when it writes.
        writes = db.get_execution_options().get("writes", True)
        db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
