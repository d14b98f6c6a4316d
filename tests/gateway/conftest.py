"""What tests of the class's server start from: a ledger in a file, and one in a real Postgres."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.postgres import postgres as running_postgres
from ttapi_nb.gateway.ledger import Ledger

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Postgres that runs for these tests only, without a database's name."""
    with running_postgres(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture
def fresh_postgres(postgres: str) -> str:
    """The address of an empty database."""
    name = f"class{next(_numbers)}"
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return postgres.replace("/postgres?", f"/{name}?")


# A Postgres has to be started, and a database made in it for each test.
@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest) -> str | None:
    """What `--database` says: nothing, and a Postgres."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("fresh_postgres"))


@pytest.fixture
def ledger(database: str | None, environment: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger(database)
    yield made
    made.close()
