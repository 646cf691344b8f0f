"""What narrows keeps in tables: tokens, credentials, and the index that journal search uses.

`store.open(path or URL)` gives a `Store` whose schema is up to date. Everything here is synchronous and
may block: the event loop reaches it through `Pool.run` only. SQL stands in the query modules, one per
noun, whose functions take a connection, so that the caller says what is one transaction:

    with store.write() as connection:
        tokens.insert(connection, row)

Every failure of the database is one `StoreError` that says what to do.
"""

from narrows.store.engine import Store, open  # noqa: A004 - `store.open` reads as what it does
from narrows.store.errors import StoreError
from narrows.store.pool import Pool

__all__ = ["Pool", "Store", "StoreError", "open"]
