"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The state history is written by the database, so that no code path can forget it. One statement
# that changes a thousand rows adds a thousand lines by one insert.
HISTORY = (
    """
    CREATE FUNCTION keep_message_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO message_history (clinic_id, message_id, at, status, reason, due_at, attempt)
        SELECT n.clinic_id, n.id, clock_timestamp(), n.status, n.reason, n.due_at, n.attempts
        FROM after n JOIN before o ON o.id = n.id AND o.clinic_id = n.clinic_id
        WHERE o.status IS DISTINCT FROM n.status OR o.due_at IS DISTINCT FROM n.due_at
           OR o.reason IS DISTINCT FROM n.reason;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER message_history AFTER UPDATE ON message
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION keep_message_history()
    """,
)
# Ledgers grow; nobody, the owner included, rewrites them by accident.
APPEND_ONLY = (
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME;
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
        for table in ("consent", "audit_event", "appointment_event", "follow_up_event")
    ),
)
# The processes' role reads and writes rows; it owns nothing and cannot change the schema.
GRANTS = (
    'GRANT USAGE ON SCHEMA public TO "aftercare_app"',
    'GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "aftercare_app"',
    'GRANT DELETE ON patient_token, sender_number, staff_absence, progress TO "aftercare_app"',
    "REVOKE UPDATE ON consent, audit_event, appointment_event, follow_up_event,"
    ' message_history FROM "aftercare_app"',
    'REVOKE INSERT, UPDATE ON alembic_version FROM "aftercare_app"',
    'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "aftercare_app"',
)
# Rows that change state several times a minute want their dead versions cleared soon.
VACUUM = tuple(
    f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01,"
    " autovacuum_vacuum_threshold = 500)"
    for table in ("message", "attempt", "inbound", "receipt")
)


def upgrade() -> None:
    op.create_table(
        "clinic",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinic")),
        sa.UniqueConstraint("key", name=op.f("uq_clinic_key")),
    )
    op.create_table(
        "kept_key",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("kind", "number", name=op.f("pk_kept_key")),
    )
    op.create_table(
        "message_history",
        sa.Column("sequence", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_message_history")),
    )
    op.create_index(
        "ix_message_history_message", "message_history", ["message_id", "sequence"], unique=False
    )
    op.create_table(
        "progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_progress")),
    )
    op.create_table(
        "stray_webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stray_webhook")),
        sa.UniqueConstraint("sid", name=op.f("uq_stray_webhook_sid")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinic.id"], name=op.f("fk_audit_event_clinic_id")
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("sequence", name=op.f("uq_audit_event_sequence")),
    )
    op.create_table(
        "opt_out",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("phone_blind", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_opt_out_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "phone_blind", name=op.f("pk_opt_out")),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.LargeBinary(), nullable=False),
        sa.Column("external_id_blind", sa.LargeBinary(), nullable=False),
        sa.Column("first_name", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_blind", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("check_in_time", sa.Time(), nullable=True),
        sa.Column("phone_shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "purposes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("import_digest", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_patient_clinic_id")),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_patient")),
        sa.UniqueConstraint(
            "clinic_id", "external_id_blind", name=op.f("uq_patient_clinic_id_external_id_blind")
        ),
    )
    op.create_index("ix_patient_phone", "patient", ["phone_blind", "clinic_id"], unique=False)
    op.create_table(
        "protocol_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinic.id"], name=op.f("fk_protocol_version_clinic_id")
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_protocol_version")),
        sa.UniqueConstraint(
            "clinic_id",
            "protocol",
            "number",
            name=op.f("uq_protocol_version_clinic_id_protocol_number"),
        ),
    )
    op.create_table(
        "sender",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("messaging_service_sid", sa.Text(), nullable=True),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("segments_per_second", sa.Double(), nullable=False),
        sa.Column("tokens", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "refilled_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_sender_clinic_id")),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_sender")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_staff_clinic_id")),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_staff")),
        sa.UniqueConstraint("clinic_id", "email", name=op.f("uq_staff_clinic_id_email")),
    )
    op.create_index("ix_staff_email", "staff", ["email"], unique=False)
    op.create_table(
        "appointment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("setting", sa.Text(), server_default=sa.text("'clinic'"), nullable=False),
        sa.Column("modality", sa.Text(), server_default=sa.text("'in_person'"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("dose_number", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("change_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dose", sa.Text(), nullable=True),
        sa.Column("import_digest", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_appointment_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_appointment")),
        sa.UniqueConstraint(
            "clinic_id", "external_id", name=op.f("uq_appointment_clinic_id_external_id")
        ),
    )
    op.create_index(
        "ix_appointment_patient", "appointment", ["patient_id", "starts_at"], unique=False
    )
    op.create_index(
        "ix_appointment_starts_at", "appointment", ["clinic_id", "starts_at"], unique=False
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("purposes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("wording_version", sa.Text(), nullable=True),
        sa.Column("phone_blind", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("inbound_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_consent_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_consent")),
    )
    op.create_index("ix_consent_patient", "consent", ["patient_id", "recorded_at"], unique=False)
    op.create_table(
        "follow_up",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column(
            "escalation_level", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("times_joined", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_follow_up_clinic_id")),
        sa.ForeignKeyConstraint(
            ["owner_id", "clinic_id"],
            ["staff.id", "staff.clinic_id"],
            name=op.f("fk_follow_up_owner_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_follow_up_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_follow_up")),
    )
    op.create_index(
        "ix_follow_up_due",
        "follow_up",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_index("ix_follow_up_patient", "follow_up", ["patient_id", "opened_at"], unique=False)
    op.create_index(
        "uq_follow_up_open_cause",
        "follow_up",
        ["clinic_id", "cause"],
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "patient_token",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_patient_token_patient_id_clinic_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("patient_id", "clinic_id", "token", name=op.f("pk_patient_token")),
    )
    op.create_index("ix_patient_token_token", "patient_token", ["clinic_id", "token"], unique=False)
    op.create_table(
        "sender_number",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("previous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id", "clinic_id"],
            ["sender.id", "sender.clinic_id"],
            name=op.f("fk_sender_number_sender_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sender_number")),
    )
    op.create_table(
        "staff_absence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id", "clinic_id"],
            ["staff.id", "staff.clinic_id"],
            name=op.f("fk_staff_absence_staff_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_staff_absence")),
    )
    op.create_table(
        "appointment_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dose", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["appointment_id", "clinic_id"],
            ["appointment.id", "appointment.clinic_id"],
            name=op.f("fk_appointment_event_appointment_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_appointment_event")),
    )
    op.create_index(
        "ix_appointment_event_appointment",
        "appointment_event",
        ["appointment_id", "at"],
        unique=False,
    )
    op.create_table(
        "enrollment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("anchor_day", sa.Date(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("plan_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_roll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("planned_through", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["appointment_id", "clinic_id"],
            ["appointment.id", "appointment.clinic_id"],
            name=op.f("fk_enrollment_appointment_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_enrollment_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_enrollment")),
        sa.UniqueConstraint(
            "patient_id",
            "protocol",
            "appointment_id",
            "anchor_day",
            name=op.f("uq_enrollment_patient_id_protocol_appointment_id_anchor_day"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_enrollment_appointment", "enrollment", ["appointment_id"], unique=False)
    op.create_index(
        "ix_enrollment_plan",
        "enrollment",
        ["plan_requested_at"],
        unique=False,
        postgresql_where=sa.text("plan_requested_at IS NOT NULL"),
    )
    op.create_index(
        "ix_enrollment_roll",
        "enrollment",
        ["next_roll_at"],
        unique=False,
        postgresql_where=sa.text("next_roll_at IS NOT NULL"),
    )
    op.create_table(
        "follow_up_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("follow_up_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["follow_up_id", "clinic_id"],
            ["follow_up.id", "follow_up.clinic_id"],
            name=op.f("fk_follow_up_event_follow_up_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_follow_up_event")),
    )
    op.create_index(
        "ix_follow_up_event_follow_up", "follow_up_event", ["follow_up_id", "at"], unique=False
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("enrollment_id", sa.Uuid(), nullable=True),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("inbound_id", sa.Uuid(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=True),
        sa.Column("protocol_number", sa.Integer(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("round", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'started'"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column(
            "params",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("expects", sa.Text(), nullable=True),
        sa.Column("answer_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("nudge_for", sa.Text(), nullable=True),
        sa.Column("prove_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipient", sa.LargeBinary(), nullable=True),
        sa.Column("recipient_blind", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("segments", sa.SmallInteger(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sid", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["appointment_id", "clinic_id"],
            ["appointment.id", "appointment.clinic_id"],
            name=op.f("fk_message_appointment_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id", "clinic_id"],
            ["enrollment.id", "enrollment.clinic_id"],
            name=op.f("fk_message_enrollment_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_message_patient_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["sender_id", "clinic_id"],
            ["sender.id", "sender.clinic_id"],
            name=op.f("fk_message_sender_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_message")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_message_awaiting",
        "message",
        ["accepted_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('accepted', 'sent') AND final_at IS NULL"),
    )
    op.create_index(
        "ix_message_due",
        "message",
        ["sender_id", "priority", "next_at"],
        unique=False,
        postgresql_where=sa.text("status = 'planned'"),
    )
    op.create_index(
        "ix_message_leased",
        "message",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status IN ('claimed', 'submitting')"),
    )
    op.create_index("ix_message_patient", "message", ["patient_id", "due_at"], unique=False)
    op.create_index(
        "uq_message_answer",
        "message",
        ["inbound_id", "template"],
        unique=True,
        postgresql_where=sa.text("inbound_id IS NOT NULL"),
    )
    op.create_index(
        "uq_message_identity",
        "message",
        ["enrollment_id", "step", "occurrence", "round"],
        unique=True,
        postgresql_where=sa.text("enrollment_id IS NOT NULL"),
    )
    op.create_index(
        "ix_message_unreviewed",
        "message",
        ["final_at"],
        unique=False,
        postgresql_where=sa.text("reviewed_at IS NULL AND final_at IS NOT NULL"),
    )
    op.create_index(
        "ix_message_to_prove",
        "message",
        ["prove_by"],
        unique=False,
        postgresql_where=sa.text("prove_by IS NOT NULL AND reviewed_at IS NULL"),
    )
    op.create_index(
        "uq_message_sid",
        "message",
        ["sid"],
        unique=True,
        postgresql_where=sa.text("sid IS NOT NULL"),
    )
    op.create_table(
        "attempt",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_blind", sa.LargeBinary(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column(
            "intent_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("sid", sa.Text(), nullable=True),
        sa.Column("looks", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id", "clinic_id"],
            ["message.id", "message.clinic_id"],
            name=op.f("fk_attempt_message_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("message_id", "number", "clinic_id", name=op.f("pk_attempt")),
    )
    op.create_index(
        "ix_attempt_unknown",
        "attempt",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL AND outcome = 'unknown'"),
    )
    op.create_index(
        "uq_attempt_open",
        "attempt",
        ["recipient_blind", "clinic_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL AND exclusive"),
    )
    op.create_table(
        "inbound",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=False),
        sa.Column("from_number", sa.LargeBinary(), nullable=False),
        sa.Column("from_blind", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column(
            "also", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("understood_by", sa.Text(), server_default=sa.text("'rule'"), nullable=False),
        sa.Column("prompt_message_id", sa.Uuid(), nullable=True),
        sa.Column("ambiguous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reading_error", sa.Text(), nullable=True),
        sa.Column("opt_change", sa.Text(), nullable=True),
        sa.Column("urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("follow_up_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_inbound_clinic_id")),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_inbound_patient_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["prompt_message_id", "clinic_id"],
            ["message.id", "message.clinic_id"],
            name=op.f("fk_inbound_prompt_message_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("sid", name=op.f("uq_inbound_sid")),
    )
    op.create_index(
        "ix_inbound_from", "inbound", ["clinic_id", "from_blind", "received_at"], unique=False
    )
    op.create_index("ix_inbound_patient", "inbound", ["patient_id", "received_at"], unique=False)
    op.create_index(
        "ix_inbound_unread",
        "inbound",
        [sa.literal_column("urgent DESC"), "received_at", "id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=True),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id", "clinic_id"],
            ["message.id", "message.clinic_id"],
            name=op.f("fk_receipt_message_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_receipt")),
    )
    op.create_index(
        "ix_receipt_pending",
        "receipt",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_index(
        "uq_receipt_seen",
        "receipt",
        ["sid", "status", "error_code"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "check_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.Column("times_reasked", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inbound_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["inbound_id", "clinic_id"],
            ["inbound.id", "inbound.clinic_id"],
            name=op.f("fk_check_in_inbound_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["message_id", "clinic_id"],
            ["message.id", "message.clinic_id"],
            name=op.f("fk_check_in_message_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_check_in_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_check_in")),
        sa.UniqueConstraint("message_id", name=op.f("uq_check_in_message_id")),
    )
    op.create_index(
        "ix_check_in_open",
        "check_in",
        ["ends_at"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_check_in_patient", "check_in", ["patient_id", "asked_at"], unique=False)
    op.create_foreign_key(
        "fk_message_inbound_id_clinic_id",
        "message",
        "inbound",
        ["inbound_id", "clinic_id"],
        ["id", "clinic_id"],
    )
    op.create_foreign_key(
        "fk_inbound_follow_up_id_clinic_id",
        "inbound",
        "follow_up",
        ["follow_up_id", "clinic_id"],
        ["id", "clinic_id"],
    )
    for statement in (*HISTORY, *APPEND_ONLY, *GRANTS, *VACUUM):
        op.execute(statement)
