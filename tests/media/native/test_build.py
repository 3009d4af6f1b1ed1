# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.media.native import choice, library
from server.media.native.build import FOLDER, SOURCES, build, compiler
from server.media.native.choice import choose
from server.media.native.library import NotBuilt, load
from server.media.packet_path import PurePath
from server.ports import MediaPath
from tests.media.paths import compiled_library


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_nothing_is_built(tmp_path: Path) -> None:
    """That is no fault: the reason is said."""
    assert build(tmp_path / "fan.so") == "no compiler found"
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its words are the reason, and what was built before stays."""
    before = tmp_path / "fan.so"
    before.write_bytes(b"before")
    assert "nonsense" in (build(before, ("-nonsense",)) or "")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_what_does_not_fit_is_not_loaded(tmp_path: Path) -> None:
    """A file that is no library, and one from other sources."""
    rubbish = tmp_path / "fan.so"
    rubbish.write_bytes(b"rubbish")
    with pytest.raises(NotBuilt):
        load(rubbish)
    other = tmp_path / "other.so"
    command = compiler()
    assert command is not None
    subprocess.run([command, "-shared", "-fPIC", "-DSOURCES=1u", "-o", other, *SOURCES], check=True)
    with pytest.raises(NotBuilt, match="other sources"):
        load(other)


def test_the_setting_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Automatically the compiled path where there is one; asked for and not there, it is refused."""
    monkeypatch.setattr(choice, "CompiledPath", lambda: load(tmp_path / "missing.so"))
    assert choose(MediaPath.PURE).name == "pure Python"
    assert choose(MediaPath.AUTO).name == "pure Python (it was not built)"
    with pytest.raises(NotBuilt):
        choose(MediaPath.COMPILED)
    monkeypatch.setattr(library, "compiler", lambda: None)
    assert choose(MediaPath.AUTO).name == "pure Python (no compiler found)"
    monkeypatch.undo()
    assert load(compiled_library()).built_from()
    assert isinstance(choose(MediaPath.PURE), PurePath)


def test_a_worker_that_must_be_compiled_and_cannot_does_not_start(tmp_path: Path) -> None:
    """It says what to do instead of a slow night."""
    program = (
        "import sys; from pathlib import Path; import server.media.native.compiled as compiled;"
        f"compiled.CompiledPath.__init__.__defaults__ = (Path({str(tmp_path / 'none.so')!r}), None);"
        "sys.argv = ['worker', '--fd', '0', '--path', 'compiled'];"
        "import server.media.worker as worker; worker.main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "make install" in ended.stderr


def test_the_build_can_be_called_by_hand() -> None:
    """`make install` does; it says which path there will be."""
    environment = os.environ | {"PATH": "", "CC": ""}
    said = subprocess.run(
        [sys.executable, "-m", "server.media.native.build"],
        capture_output=True, text=True, check=True, env=environment, cwd=FOLDER.parents[2],
    )  # fmt: skip
    assert said.stdout == "media path: pure Python (no compiler found)\n"
