# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Jupyter server extension: ``/dashboard`` leads to Dask's dashboard, by way of the login.

The proxied address itself, ``/proxy/<host>:<port>/status``, has a colon, and Jupyter's login does not lead back to
such an address.
"""

from __future__ import annotations

import os
import typing as t
from urllib.parse import urlsplit

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web


class Dashboard(JupyterHandler):
    """``GET /dashboard``."""

    @web.authenticated
    def get(self) -> None:
        """Go on to the scheduler's dashboard."""
        host = urlsplit(os.environ["DASK_SCHEDULER_ADDRESS"]).hostname
        self.redirect(url_path_join(self.base_url, f"/proxy/{host}:8787/status"))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "daskops_runtime.dashboard"}]


def _load_jupyter_server_extension(server: t.Any) -> None:
    url = url_path_join(server.web_app.settings["base_url"], "/dashboard")
    server.web_app.add_handlers(".*", [(url, Dashboard)])
