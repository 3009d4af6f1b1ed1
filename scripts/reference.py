# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: adds the protocol reference, made from the messages themselves, with examples from the tests."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from server.signaling.reference import reference

WIRE = Path(__file__).parents[1] / "tests" / "golden" / "wire"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs once it has found the pages that are written by hand."""
    examples = {path.stem: path.read_bytes() for path in WIRE.glob("*.bin")}
    for name, text in reference(examples).items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    return files
