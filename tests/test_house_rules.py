"""The house rules that no linter knows: sizes, addresses, and lists that have to agree."""

import re
import statistics
import tomllib
from itertools import pairwise
from typing import Any

import pytest

from cli import secret_files
from schedules import terms
from tests.support.source import PACKAGES, ROOT, functions, kept, modules
from worker.settings import Settings

# Spelled in pieces, so that this file keeps its own rules.
_HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"))
_REGISTRIES = "|".join([r"\.".join(pieces) for pieces in _HOSTS] + ["index" + "-url"])
_MACHINE_PATHS = r"(?<![\w.\]-])/(?:root|work|home|Users)/\w|\.\./" + "shared"
# 555-01xx is kept free for fiction; the others are the carrier's own test numbers.
_FICTION = re.compile(r"\+1(\d{3}55501\d\d|500555000\d)")
# The carrier's published example of a signed request, which a test repeats to the letter.
_PUBLISHED = {"+14158675309", "+14158675310", "+18005551212"}


def _places(pattern: str) -> list[str]:
    return [place for place, _ in kept(pattern)]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_functions_are_short() -> None:
    """60 lines at most, so that one fits a screen; half of them at most 9."""
    found = list(functions())
    assert [item for item in found if item.lines > 60] == []
    assert statistics.median(item.lines for item in found) <= 9


def test_modules_are_short() -> None:
    """450 lines at most: what is longer holds two things."""
    sizes = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in modules()}
    assert {name: size for name, size in sizes.items() if size > 450} == {}


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the machine's setting; the lock has hashes instead."""
    assert _places(_REGISTRIES) == []


def test_no_code_names_a_route_or_a_substance() -> None:
    """What there is to know stands in `schedules/terms.yaml`, so that a clinic can add one."""
    known = terms.shipped()
    also = [word for one in known.substances for word in (one.name.rstrip("s"), *one.also)]
    long = [word for word in (*known.route_names, *also) if len(word) > 2]
    short = [word for word in known.route_names if len(word) <= 2]
    names = re.compile(rf"\b({'|'.join(long)})s?\b|[\"'/`]({'|'.join(short)})\b", re.IGNORECASE)
    ours = [path for path in modules() if path.relative_to(ROOT).parts[0] in PACKAGES]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ours
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if names.search(line)
    ]
    assert found == []


def test_no_file_names_a_place_on_a_developers_machine() -> None:
    """A path of one machine is wrong on all others."""
    assert _places(_MACHINE_PATHS) == []


def test_every_phone_number_is_fiction() -> None:
    """A number in a test or an example may one day be called."""
    real = [
        (place, number)
        for place, number in kept(r"\+1\d{10}(?!\d)")
        if not _FICTION.fullmatch(number) and number not in _PUBLISHED
    ]
    assert real == []


def test_tests_use_shipped_fakes_and_patch_nothing() -> None:
    """A patched test proves what the patch says."""
    assert [
        place for place in _places(r"\bmock\.patch|unittest\.mock") if place[:5] == "tests"
    ] == []


def test_every_package_stands_in_every_list() -> None:
    """A package that a list forgets is not shipped, not typed or not kept in its place."""
    tools = _pyproject()["tool"]
    lists = {
        "wheel": tools["hatch"]["build"]["targets"]["wheel"]["packages"],
        "mypy": tools["mypy"]["packages"],
        "import-linter": tools["importlinter"]["root_packages"],
        "image": re.findall(r"^!(\w+)/$", (ROOT / ".dockerignore").read_text(), re.MULTILINE),
        "folders": [path.parent.name for path in ROOT.glob("*/__init__.py")],
    }
    wanted = set(PACKAGES)
    found = {name: set(names) - {"tests", "bench"} for name, names in lists.items()}
    assert {name: names ^ wanted for name, names in found.items() if names != wanted} == {}


def test_every_package_has_a_folder_of_tests() -> None:
    """Tests are looked for where the package's name says."""
    assert [name for name in PACKAGES if not (ROOT / "tests" / name / "__init__.py").exists()] == []


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+(?:\[[\w,]+\])?)==(\S+)", text, re.MULTILINE))


def test_the_locks_agree() -> None:
    """What runs is what was tested: runtime is in demo, demo is in dev, with the same versions."""
    locks = [_locked(name) for name in ("runtime", "demo", "dev")]
    for smaller, larger in pairwise(locks):
        assert smaller.items() <= larger.items()
    assert _locked("build").items() <= locks[1].items()


@pytest.mark.parametrize("name", ["runtime", "build", "demo", "dev"])
def test_every_locked_version_has_a_hash(name: str) -> None:
    """Without hashes a registry could hand out something else under the same number."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"^(?=[\w.-]+(?:\[[\w,]+\])?==)", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_example_of_settings_names_every_setting() -> None:
    """What `.env.example` leaves out nobody finds."""
    names = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    # Only for the demo and the bench, which set it themselves.
    inner = {"AFTERCARE_CLOCK_OFFSET"}
    assert {str(field.alias) for field in Settings.model_fields.values()} - inner - names == set()


def test_secret_files_are_written_once_and_agree(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second `make secrets` changes nothing; the owner's address has the owner's password."""
    folder = tmp_path / "secrets"
    secret_files.main(folder)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    secret_files.main(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert first["database_owner_password"] in first["database_owner_url"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "twilio_auth_token" in capsys.readouterr().err


def test_half_a_pair_of_secret_files_is_refused(tmp_path: Any) -> None:
    """A new owner's address would not fit the old password."""
    secret_files.write(tmp_path)
    (tmp_path / "database_owner_url").unlink()
    with pytest.raises(SystemExit, match="only one of"):
        secret_files.write(tmp_path)
