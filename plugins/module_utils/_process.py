# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Run a program and hand over its lines while it runs, which AnsibleModule.run_command does not do."""

from __future__ import annotations

import asyncio
import contextlib
import time
import typing as t

# Builders print whole layers' worth of names in a line.
_LONGEST_LINE = 2**24


def stream(
    command: list[str],
    on_line: t.Callable[[str], None] = lambda _line: None,
    *,
    data: str = "",
    env: dict[str, str] | None = None,
    timeout: float = float("inf"),
    tick: float = 10.0,
    on_tick: t.Callable[[], None] = lambda: None,
) -> tuple[int, list[str]]:
    """The exit code and the lines, both outputs together, of a program that reads C(data).

    C(on_tick) is called each time that it has printed nothing for C(tick) seconds; after C(timeout) seconds it is
    killed.  Raises OSError if it cannot be started.
    """
    return asyncio.run(_stream(command, on_line, data, env, time.monotonic() + timeout, tick, on_tick))


async def _stream(
    command: list[str],
    on_line: t.Callable[[str], None],
    data: str,
    env: dict[str, str] | None,
    end: float,
    tick: float,
    on_tick: t.Callable[[], None],
) -> tuple[int, list[str]]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        limit=_LONGEST_LINE,
    )
    try:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may end without reading
                process.stdin.write(data.encode())
                await process.stdin.drain()
            process.stdin.close()
        lines: list[str] = []
        while process.stdout:
            left = end - time.monotonic()
            if left <= 0:
                process.kill()
                break
            try:
                raw = await asyncio.wait_for(process.stdout.readline(), min(tick, left))
            except TimeoutError:
                on_tick()
                continue
            if not raw:
                break
            lines.append(raw.decode(errors="replace").rstrip("\r\n"))
            on_line(lines[-1])
        return await process.wait(), lines
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
