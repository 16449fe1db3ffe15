"""Analyzes several photos at the same time with the client, in the order of the answers: analyze_async.py URL PHOTO…"""

import asyncio
import os
import sys

from dermserve import AsyncClient, ClientError

AT_ONCE = 2  # more than the service can analyse at once only wait


async def analyze(client: AsyncClient, turn: asyncio.Semaphore, photo: str) -> bool:
    """Print the answer for ``photo``. Returns whether there is one."""
    async with turn:
        try:
            answer = await client.analyze(photo)
        except ClientError as error:
            print(f"{photo}: {error.status}: {error.message}", file=sys.stderr)
            return False
    tone = answer.skin.tone if answer.skin else None  # None if no skin was measured
    print(f"{photo}: {answer.summary.headline} {answer.summary.next_step}")
    print("  tone:", (tone and tone.group) or "not measured")
    print("  decision:", answer.decision.kind, answer.decision.set, answer.decision.reasons)
    print(f"  {answer.disclaimer}")
    return True


async def main(url: str, photos: list[str]) -> int:
    """Returns the exit status."""
    turn = asyncio.Semaphore(AT_ONCE)
    async with AsyncClient(url, key=os.environ.get("DERMSERVE_KEY")) as client:
        done = await asyncio.gather(*(analyze(client, turn, photo) for photo in photos))
    return 0 if all(done) else 1


sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
