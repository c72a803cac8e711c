"""Runs the migrations on the connection that `ledger.migrate` gives, inside its transaction."""

from alembic import context

from breachwatch.ledger.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
