"""Put the conda packages that the user asked for into /opt/conda: solved and unpacked by py-rattler."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import rattler

PREFIX = Path("/opt/conda")


async def solve(channels: list[str], packages: list[str]) -> list[rattler.RepoDataRecord]:
    """Choose the packages' versions for this machine."""
    records: list[rattler.RepoDataRecord] = await rattler.solve(
        channels, packages, virtual_packages=rattler.VirtualPackage.detect()
    )
    return records


async def install(channels: list[str], packages: list[str]) -> None:
    """Solve and unpack; raise what rattler raises."""
    records = await solve(channels, packages)
    names = " ".join(f"{record.name.normalized}-{record.version}" for record in records)
    print(f"daskops: install {len(records)} conda packages: {names}", flush=True)
    await rattler.install(records, PREFIX, cache_dir="/build/conda", execute_link_scripts=True, show_progress=False)


async def blame(channels: list[str], packages: list[str], failure: Exception) -> str:
    """The package that cannot be had on its own, if it is one."""
    for package in packages:
        try:
            await solve(channels, [package])
        except Exception as alone:
            return f"conda package '{package}' cannot be installed from {' '.join(channels)}: {one_line(alone)}"
    return f"conda packages {' '.join(packages)} cannot be installed together: {one_line(failure)}"


def one_line(failure: Exception) -> str:
    """What rattler said, without line breaks and drawing."""
    return " ".join(str(failure).translate(str.maketrans("├└│─", "    ")).split())


async def main() -> int:
    """Install the packages of the user's file; 1, and a sentence, when that cannot be."""
    asked = json.loads(Path("/build/user/conda.json").read_text("utf-8"))
    try:
        await install(asked["channels"], asked["packages"])
    except Exception as failure:
        print(f"daskops-error: {await blame(asked['channels'], asked['packages'], failure)}")
        return 1
    return 0


if __name__ == "__main__":
    code = asyncio.run(main())
    sys.stdout.flush()
    # Threads of rattler's that outlive the interpreter make it abort.
    os._exit(code)
