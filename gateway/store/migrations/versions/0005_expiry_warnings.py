"""Which cases were told to be near their end.

Secrets are sealed without a change of the schema: `gateway.store.reseal` brings old rows under the key at the start.

Revision 0005 after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.tables.column import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expiry_warnings",
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.PrimaryKeyConstraint("case_id", "expires_at"),
    )


def downgrade() -> None:
    op.drop_table("expiry_warnings")
