"""The shipped data files, as any PyYAML reads them."""

from pathlib import Path

import pytest
import yaml

from messages import datafiles

_FILES = sorted(Path(datafiles.__file__).parent.rglob("*.yaml"))


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_a_machine_without_libyaml_reads_the_same(file: Path) -> None:
    """PyYAML's own scanner is stricter in flow lists, and without them no process starts."""
    table = file.read_text("utf-8")
    fast = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    # The base loaders build strings only.
    assert yaml.load(table, Loader=yaml.BaseLoader) == yaml.load(table, Loader=fast)


def test_the_files_are_found() -> None:
    """Else the test above would show nothing."""
    assert len(_FILES) > 8
