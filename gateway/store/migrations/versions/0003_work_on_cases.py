"""Runs on demand, appeals, evidence, mentions, tokens; an index for the order by loss.

Revision 0003 after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.tables.column import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cases") as batch:
        batch.add_column(sa.Column("loss_rank", sa.Float(), nullable=True))
        for index in ("ix_cases_expiry", "ix_cases_group", "ix_cases_queue"):
            batch.drop_index(index)
    op.execute("UPDATE cases SET loss_rank = -coalesce(estimated_loss, -1.0)")
    with op.batch_alter_table("cases") as batch:
        batch.alter_column("loss_rank", existing_type=sa.Float(), nullable=False)
        batch.create_index("ix_cases_loss", ["state", "loss_rank", "case_id", "severity"], unique=False)
        batch.create_index("ix_cases_queue", ["state", "rank", "expires_at", "case_id", "severity"], unique=False)
        batch.create_index("ix_cases_expiry", ["state", "expires_at", "case_id", "severity"], unique=False)
        batch.create_index("ix_cases_group", ["state", "group_key", "held_at"], unique=False)
        batch.create_index("ix_cases_rank", ["rank", "expires_at", "case_id"], unique=False)
        batch.create_index("ix_cases_grave", ["state", "severity"], unique=False)
        batch.create_index("ix_cases_alike", ["group_key", "held_at"], unique=False)
    op.create_table(
        "case_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("not_before", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("detail", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("case_runs") as batch:
        batch.create_index("ix_case_runs_case_id", ["case_id"], unique=False)
        batch.create_index("ix_case_runs_due", ["finished_at", "not_before"], unique=False)
    op.create_table(
        "appeals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("appeals") as batch:
        batch.create_index(
            "ux_appeals_open",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text("answered_at IS NULL"),
            postgresql_where=sa.text("answered_at IS NULL"),
        )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("removed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attachments") as batch:
        batch.create_index("ix_attachments_case_id", ["case_id"], unique=False)
    op.create_table(
        "mentions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("note_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.ForeignKeyConstraint(["note_id"], ["case_notes.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("mentions") as batch:
        batch.create_index("ix_mentions_case_id", ["case_id"], unique=False)
        batch.create_index("ix_mentions_name", ["name", "seen_at"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("read_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )


def downgrade() -> None:
    for table in ("tokens", "mentions", "attachments", "appeals", "case_runs"):
        op.drop_table(table)
    with op.batch_alter_table("cases") as batch:
        for index in ("alike", "expiry", "grave", "group", "loss", "queue", "rank"):
            batch.drop_index(f"ix_cases_{index}")
        batch.drop_column("loss_rank")
        batch.create_index("ix_cases_group", ["group_key", "state", "held_at"], unique=False)
        batch.create_index("ix_cases_queue", ["state", "rank", "expires_at", "case_id"], unique=False)
        batch.create_index("ix_cases_expiry", ["state", "expires_at", "case_id"], unique=False)
