"""The rules that gateways go by, and how often each spoke, for people to read.

Revision 0006 after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.tables.column import UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rules_in_force",
        sa.Column("replica", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("replica"),
    )
    op.create_table(
        "rule_hits",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("hour", UtcTime(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "hour"),
    )
    op.create_index("ix_rule_hits_hour", "rule_hits", ["hour"])


def downgrade() -> None:
    op.drop_table("rule_hits")
    op.drop_table("rules_in_force")
