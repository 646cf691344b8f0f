"""SQLAlchemy 2 works unchanged over psycopg and asyncpg: reflection, the ORM there and back, server-side cursors."""

from __future__ import annotations

import datetime
import decimal
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from tests.e2e.world import World


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    born: Mapped[datetime.date | None]
    meta: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    aliases: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), default=list)
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(8, 2))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def _url(world: World, driver: str, who: str = "dev") -> sa.URL:
    given = world.gateway.parameters(who)
    return sa.URL.create(
        f"postgresql+{driver}", who, given["password"], "localhost", given["port"], given["dbname"]
    )


def _tls(world: World) -> dict[str, str]:
    return {"sslmode": "verify-full", "sslrootcert": str(world.gateway.ca_path)}


@pytest.fixture(scope="module")
def engine(world: World) -> Iterator[sa.Engine]:
    made = sa.create_engine(_url(world, "psycopg"), connect_args=_tls(world), pool_pre_ping=True)
    yield made
    made.dispose()


def _reflected(engine: sa.Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    tables = sorted(inspector.get_table_names())
    return {
        "tables": tables,
        "views": sorted(inspector.get_view_names()),
        "materialized": inspector.get_materialized_view_names(),
        "schemas": inspector.get_schema_names(),
        "sequences": sorted(inspector.get_sequence_names()),
        "enums": inspector.get_enums(),  # type: ignore[attr-defined]
        "columns": {
            t: [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(t)] for t in tables
        },
        "keys": {t: inspector.get_pk_constraint(t) for t in tables},
        "foreign": {t: inspector.get_foreign_keys(t) for t in tables},
        "indexes": {t: inspector.get_indexes(t) for t in tables},
        "unique": {t: inspector.get_unique_constraints(t) for t in tables},
        "checks": {t: inspector.get_check_constraints(t) for t in tables},
        "comments": {t: inspector.get_table_comment(t) for t in tables},
        "definition": inspector.get_view_definition("open_tickets"),
    }


def test_reflection(world: World, engine: sa.Engine) -> None:
    given = world.server.parameters(world.twin.name, world.twin.app)
    direct = sa.create_engine(
        sa.URL.create(
            "postgresql+psycopg",
            given["user"],
            given["password"],
            "127.0.0.1",
            given["port"],
            given["dbname"],
        )
    )
    try:
        expected = _reflected(direct)
    finally:
        direct.dispose()
    assert _reflected(engine) == expected
    metadata = sa.MetaData()
    metadata.reflect(engine, only=["customers", "orders"])
    assert metadata.tables["orders"].c.customer_id.foreign_keys


def test_reflection_by_somebody_who_sees_less(world: World) -> None:
    """A schema is no secret: whoever may connect can reflect it, with nothing masked."""
    engine = sa.create_engine(_url(world, "psycopg", "alice"), connect_args=_tls(world))
    try:
        inspector = sa.inspect(engine)
        assert "customers" in inspector.get_table_names()
        assert [c["name"] for c in inspector.get_columns("customers")][:3] == ["id", "name", "email"]
        assert inspector.get_pk_constraint("payroll")["constrained_columns"] == ["employee_id", "period"]
        assert inspector.get_table_comment("customers") == {"text": "who buys"}
    finally:
        engine.dispose()


def test_orm_there_and_back(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    try:
        with Session(engine) as session:
            ann = Author(name="Ann", born=datetime.date(1980, 1, 2), meta={"a": [1]}, aliases=["A", "N"])
            ann.books = [Book(title=f"Book {n}", price=decimal.Decimal("9.50")) for n in range(30)]
            session.add_all([ann, Author(name="Bob")])
            session.commit()
            ann_id = ann.id
        with Session(engine) as session:
            query = sa.select(Author).options(selectinload(Author.books)).where(Author.name == "Ann")
            found = session.scalars(query).one()
            assert (found.id, found.born, found.meta, found.aliases) == (
                ann_id,
                datetime.date(1980, 1, 2),
                {"a": [1]},
                ["A", "N"],
            )
            assert len(found.books) == 30
            total = session.scalar(sa.select(sa.func.sum(Book.price)).where(Book.author_id == ann_id))
            assert total == decimal.Decimal("285.00")
            found.books = found.books[:2]
            found.meta = {"b": None}
            session.commit()
            assert session.scalar(sa.select(sa.func.count()).select_from(Book)) == 2
            with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
                session.add(Author(name="Ann"))
                session.flush()
            session.execute(
                insert(Author)
                .values(name="Ann", meta={}, aliases=[])
                .on_conflict_do_update(index_elements=["name"], set_={"born": None})
            )
            session.execute(sa.update(Book).where(Book.price > 1).values(price=Book.price + 1))
            session.commit()
            session.delete(session.get_one(Author, ann_id))
            session.commit()
            assert session.scalar(sa.select(sa.func.count()).select_from(Book)) == 0
    finally:
        Base.metadata.drop_all(engine)


def test_many_rows_in_one_insert(engine: sa.Engine) -> None:
    """insertmanyvalues: statements of many kilobytes with RETURNING."""
    Base.metadata.create_all(engine)
    try:
        with Session(engine) as session:
            session.add_all([Author(name=f"author {n}") for n in range(1500)])
            session.commit()
            assert session.scalar(sa.select(sa.func.count()).select_from(Author)) == 1500
    finally:
        Base.metadata.drop_all(engine)


def test_server_side_cursor(engine: sa.Engine) -> None:
    with engine.connect().execution_options(stream_results=True, yield_per=10) as connection:
        found = connection.execute(sa.text("select g from generate_series(1, 95) g"))
        assert [row.g for row in found] == [*range(1, 96)]
        found = connection.execute(sa.text("select id, name from customers order by id"))
        assert found.first() == (1, "Ada Example")


def test_a_pool_outlives_a_refusal(world: World) -> None:
    engine = sa.create_engine(
        _url(world, "psycopg", "alice"),
        connect_args=_tls(world),
        pool_pre_ping=True,
        pool_size=1,
        max_overflow=0,
    )
    try:
        for _ in range(3):
            with (
                pytest.raises(sa.exc.DBAPIError, match="Payroll is for the finance team"),
                engine.begin() as connection,
            ):
                connection.execute(sa.text("select * from payroll"))
            with engine.begin() as connection:
                assert connection.scalar(sa.text("select ssn from customers where id = 1")) == "*******1120"
    finally:
        engine.dispose()


async def test_asyncpg(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.gateway.ca_path))
    engine = create_async_engine(_url(world, "asyncpg"), connect_args={"ssl": context})
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add(
                Author(name="Cy", meta={"x": 1}, books=[Book(title="T", price=decimal.Decimal("1.25"))])
            )
            await session.commit()
            query = sa.select(Author).options(selectinload(Author.books))
            found = (await session.scalars(query)).one()
            assert (found.name, found.meta, found.books[0].price) == ("Cy", {"x": 1}, decimal.Decimal("1.25"))
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
            assert {"authors", "books", "customers"} <= set(names)
            rows = await connection.stream(sa.text("select g from generate_series(1, 60) g"))
            assert [row.g async for row in rows] == [*range(1, 61)]
    finally:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
        await engine.dispose()
