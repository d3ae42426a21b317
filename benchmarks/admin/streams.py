"""Opens event streams of a run and says what they cost the admin in memory.

streams.py PORT CA CERTIFICATE KEY RUN COUNT PID
"""

import asyncio
import ssl
import sys

port, authority, certificate, key, run, count, process = sys.argv[1:8]


def resident():
    for line in open(f"/proc/{process}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024


async def follow(context, arrived):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context)
    writer.write(
        f"GET /api/v1/runs/{run}/events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    await writer.drain()
    # The head, and the first events.
    while b"event: run" not in await reader.readuntil(b"\n\n"):
        pass
    arrived.append(1)
    while await reader.read(65536):
        pass


async def main():
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    before = resident()
    arrived = []
    tasks = []
    for index in range(int(count)):
        tasks.append(asyncio.create_task(follow(context, arrived)))
        if index % 50 == 49:
            await asyncio.sleep(0.2)
    for _ in range(100):
        await asyncio.sleep(0.2)
        if len(arrived) == int(count):
            break
    await asyncio.sleep(3)
    after = resident()
    print(
        f"{len(arrived)} streams open: {before:.0f} MiB before, {after:.0f} MiB with them,"
        f" {(after - before) * 1024 / max(1, len(arrived)):.0f} KiB each")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())
