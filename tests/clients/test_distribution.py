# SPDX-License-Identifier: Apache-2.0
"""The Python client as others install it: built, and alone in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

PROJECT = Path(__file__).parents[2] / "clients" / "python"
PROBE = """
import asyncio, holdspace_client
from aiohttp import ClientSession
from holdspace_client import Session, commands
async def main():
    async with ClientSession() as http:
        session = Session(http, "http://127.0.0.1:9", "x.y.z")
        try:
            await session.join()
        except ConnectionError:
            print("nobody there", holdspace_client.__file__)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where wheel and sdist are."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=PROJECT, check=True)
    return folder


@pytest.mark.slow
def test_both_distributions_are_whole(built: Path) -> None:
    """Every module is in both, with the marker that it is typed; the source one has the examples, too."""
    wanted = {f"holdspace_client/{path.relative_to(PROJECT / 'holdspace_client')}" for path in _sources()}
    (wheel,) = built.glob("*.whl")
    (source,) = built.glob("*.tar.gz")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wanted <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted | {"LICENSE", "README.md", "pyproject.toml", "examples/listen.py"} <= inside


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_works_alone_in_a_fresh_environment(built: Path, tmp_path: Path) -> None:
    """With what it says it depends on, and nothing else, it gets as far as to a server that is not there."""
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    said = subprocess.run([python, "-c", PROBE], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"nobody there {tmp_path}")


def _sources() -> list[Path]:
    files = (PROJECT / "holdspace_client").rglob("*")
    return [path for path in files if path.suffix == ".py" or path.name == "py.typed"]
