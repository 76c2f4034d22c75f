# SPDX-License-Identifier: MIT
"""Says what its event loop waits on, and reads a file and a child's output by it."""

import asyncio
import os
import sys

import ioevq.asyncio


async def main(path):
    loop = asyncio.get_running_loop()
    print(os.readlink(f"/proc/self/fd/{loop.queue.fileno()}"))
    async with ioevq.asyncio.open(path, "rb") as file:
        print((await file.read()).decode().strip())
    child = await asyncio.create_subprocess_exec("/bin/echo", "from the child",
                                                 stdout=asyncio.subprocess.PIPE)
    print((await child.communicate())[0].decode().strip())

asyncio.set_event_loop_policy(ioevq.asyncio.EventLoopPolicy())
asyncio.run(main(sys.argv[1]))
