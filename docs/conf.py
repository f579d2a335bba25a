# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Sphinx turns what antsibull-docs wrote into pages (see docs/build)."""

from __future__ import annotations

import typing as t

from docutils import nodes
from sphinx.application import Sphinx

project = "daskops.kubernetes"
author = "the daskops.kubernetes contributors"
html_title = "daskops.kubernetes"
html_theme = "alabaster"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
extensions = ["sphinx_antsibull_ext"]
pygments_style = "ansible"
default_role = "any"


def outside(_app: Sphinx, _env: t.Any, node: nodes.Element, text: nodes.TextElement) -> nodes.TextElement | None:
    """Show references to Ansible's documentation as text, as links would need the network. Ours must resolve."""
    return None if "daskops" in node["reftarget"] else text


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", outside)
