"""`aftercare db upgrade`: the schema, by its owner."""

import typer
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cli import output
from cli.errors import refuse
from records.migrate import upgrade as migrate
from worker.settings import FileSource

app = typer.Typer(no_args_is_help=True, add_completion=False)


class _Addresses(BaseSettings):
    """The two addresses of the database, which migrating needs and nothing else."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", populate_by_name=True
    )

    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")
    database_owner_url: SecretStr | None = Field(default=None, alias="DATABASE_OWNER_URL")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, `NAME_FILE`, then `.env`, as all other commands do."""
        del init_settings, file_secret_settings
        return env_settings, FileSource(settings_cls), dotenv_settings


@app.callback()
def main() -> None:
    """The database's schema."""


@app.command(epilog="Example: aftercare db upgrade")
def upgrade() -> None:
    """Migrate to the newest schema; safe to run twice, and by two at once.

    DATABASE_OWNER_URL names the login that owns the tables; without it DATABASE_URL does all.
    """
    addresses = _Addresses()
    process = addresses.database_url.get_secret_value() if addresses.database_url else None
    owner = addresses.database_owner_url
    url = owner.get_secret_value() if owner else process
    if not url:
        refuse("DATABASE_URL is missing: set it in the environment or in .env (see .env.example).")
    if not url.startswith("postgresql+psycopg://"):
        refuse("The database's address must start with postgresql+psycopg://.")
    before, after = migrate(url, process)
    if before == after:
        output.result(f"The schema is at {after} already.")
    else:
        output.result(f"The schema went from {before or 'nothing'} to {after}.")
