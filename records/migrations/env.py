"""Alembic's way in: runs on the connection that `records.migrate` hands over.

Revisions have no `downgrade`: each only adds, so that the release before works on its schema, and
what was written since must not be thrown away. Whoever has to go further back restores a backup.
"""

from alembic import context

from records.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
