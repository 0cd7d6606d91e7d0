"""What each request is answered with when nothing else is asked: the same bits are promised beside any others."""

import re
from collections.abc import Iterable

from proofs.client import Answer, Connection, Lost
from tests.harness import address

# What may differ from one answer to the next: who shared its batch, how long it took, which request it was.
VARYING = re.compile(rb'"batch_size": ?\d+, ?"latency_ms": ?\{[^}]*\}|"request_id": ?"[^"]*"')

# What an overloaded server may answer to any request.
BUSY = 429

# In place of a status: the connection was ended, as one is that sends without end.
CUT = Answer(0, b"")


def constant(answer: Answer) -> Answer:
    return Answer(answer.status, VARYING.sub(b"", answer.body))


async def ask_alone(url: str, request: bytes) -> Answer:
    connection = await Connection.to(*address(url))
    try:
        return constant(await connection.ask(request))
    except Lost:
        return CUT
    finally:
        connection.close()


async def learn(url: str, requests: Iterable[bytes]) -> dict[bytes, Answer]:
    return {request: await ask_alone(url, request) for request in requests}
