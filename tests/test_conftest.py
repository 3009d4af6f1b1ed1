# SPDX-License-Identifier: Apache-2.0
"""The rules of the test run itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent


@pytest.mark.parametrize(("ci", "code", "spread"), [("true", 1, "0"), ("true", 1, "2"), ("", 0, "0")])
def test_a_skipped_check_is_loud_and_fails_ci(tmp_path: Path, ci: str, code: int, spread: str) -> None:
    """Whoever runs the tests learns what was left out; CI does not accept it."""
    case = tmp_path / "test_left_out.py"
    case.write_text("import pytest\n\n\ndef test_left_out():\n    pytest.skip('nothing to test with')\n")
    options = ["-c", "pyproject.toml", "-p", "no:cacheprovider", "-p", "tests.conftest", "-n", spread]
    run = [sys.executable, "-m", "pytest", *options, str(case)]
    result = subprocess.run(run, cwd=ROOT, env=os.environ | {"CI": ci}, check=False, capture_output=True, text=True)
    assert "CHECKS LEFT OUT" in result.stdout
    assert result.returncode == code, result.stdout
