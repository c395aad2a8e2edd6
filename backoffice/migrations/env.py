"""Alembic runs the revisions on the connection of `backoffice.database`, or on a URL given by `-x url=`."""

from alembic import context
from sqlalchemy import Connection, create_engine

from backoffice.models import Base


def run(connection: Connection) -> None:
    """Run on an open connection; its transaction belongs to the caller."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        run(opened)
