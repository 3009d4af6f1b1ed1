# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: adds the references of protocol and API, made from the messages and bodies themselves."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from server.api.openapi import description
from server.api.reference import page
from server.signaling.reference import reference

WIRE = Path(__file__).parents[1] / "tests" / "golden" / "wire"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs once it has found the pages that are written by hand."""
    examples = {path.stem: path.read_bytes() for path in WIRE.glob("*.bin")}
    pages = reference(examples) | {"api.md": page(description("https://groups.example.org"))}
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    return files
