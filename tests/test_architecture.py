# SPDX-License-Identifier: Apache-2.0
"""The shape of the repository: layers, sizes, licence headers, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FILE_CEILING: Final = 400
FUNCTION_CEILING: Final = 60
SPDX: Final = "SPDX-License-Identifier: Apache-2.0"
SOURCES: Final = {".py", ".ts", ".svelte", ".css", ".sh"}
IMPURE: Final = {"aiohttp", "aiortc", "asyncio", "logging", "os", "random", "redis", "secrets"} | {
    "socket", "socketio", "structlog", "subprocess", "threading", "time",
}  # fmt: skip
"""What reads a clock or chance, waits, or talks to the world."""
GENERATED: Final = "Generated"
"""In the head of a file that a program wrote; such a file may be long."""

# Split, so that this file does not find itself.
MACHINE_PATHS: Final = re.compile(rb"/(?:work|root|opt)" + rb"/[a-z.]|/home" + rb"/[a-z]+/|/Users" + rb"/[a-z]+/")
FOREIGN_INDEX: Final = re.compile(r'(?m)^-|"resolved": "(?!https://registry\.npmjs\.org/)')
"""An option line in a Python lock, another registry in the npm one."""


def tracked_files() -> list[Path]:
    """Every file under version control that exists in the working tree."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [path for name in listing.decode().split("\0") if name and (path := ROOT / name).is_file()]


TRACKED: Final = tracked_files()
SOURCE_FILES: Final = [path for path in TRACKED if path.suffix in SOURCES]
PYTHON_FILES: Final = [path for path in TRACKED if path.suffix == ".py"]


def head_of(path: Path) -> str:
    """The first lines of a file, where its licence and its origin stand."""
    return "\n".join(path.read_text().splitlines()[:5])


def docstring_of(path: Path) -> str:
    """What a module says of itself."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def name_of(path: Path) -> str:
    """The path as shown in a test id."""
    return str(path.relative_to(ROOT))


def test_imports_follow_the_layers() -> None:
    """The import contracts of pyproject.toml hold."""
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def imported_by(path: Path) -> set[str]:
    """The packages that a module names in its imports, each by its first word."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module is not None}
    return {name.partition(".")[0] for name in named}


def test_what_calls_itself_pure_is_pure() -> None:
    """A module of the server whose docstring says `Pure` gets time and chance as arguments, and waits for nothing."""
    server = [path for path in PYTHON_FILES if path.is_relative_to(ROOT / "server")]
    pure = [path for path in server if re.search(r"\bPure\b", docstring_of(path))]
    found = {name_of(path): wrong for path in pure if (wrong := imported_by(path) & IMPURE)}
    assert len(pure) > 20
    assert found == {}


def test_package_maps_name_every_module() -> None:
    """The docstring of each package of the server says where each of its modules belongs."""
    maps = {path.parent: docstring_of(path) for path in (ROOT / "server").glob("*/__init__.py")}
    found = {
        name_of(path): "not in the docstring of its package"
        for path in PYTHON_FILES
        if path.parent in maps and path.stem != "__init__" and not re.search(rf"`{path.stem}[`.]", maps[path.parent])
    }
    assert maps
    assert found == {}


def test_files_stay_small() -> None:
    """No source file grows beyond what one person keeps in mind."""
    lines = {name_of(path): path.read_text().count("\n") for path in SOURCE_FILES if GENERATED not in head_of(path)}
    assert {name: count for name, count in lines.items() if count > FILE_CEILING} == {}


def test_functions_stay_small() -> None:
    """No function grows into a handler of everything."""
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": length
        for path in PYTHON_FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_CEILING
    }
    assert long == {}


def test_sources_name_their_licence() -> None:
    """Each source file carries the SPDX header within its first lines."""
    assert [name_of(path) for path in SOURCE_FILES if SPDX not in head_of(path)] == []


def test_no_machine_path_is_tracked() -> None:
    """The repository works from any folder."""
    found = {name_of(path): match.group() for path in TRACKED if (match := MACHINE_PATHS.search(path.read_bytes()))}
    assert found == {}


def test_locks_name_no_other_package_index() -> None:
    """The lock files work with any package index: the Python ones name none, the npm one only the public registry."""
    locks = [path for path in TRACKED if path.name == "package-lock.json" or path.suffix == ".lock"]
    found = {name_of(path): match.group() for path in locks if (match := FOREIGN_INDEX.search(path.read_text()))}
    assert len(locks) > 1
    assert found == {}
