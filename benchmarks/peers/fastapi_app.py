"""FastAPI as its documentation has it: an endpoint in the thread pool. `uvicorn benchmarks.peers.fastapi_app:app`"""

from typing import Annotated

import numpy as np
from fastapi import Depends, FastAPI, Request

from benchmarks.peers.common import answer, decode, open_session, run

app = FastAPI()
SESSION = open_session()


async def body(request: Request) -> bytes:
    content: bytes = await request.body()
    return content


@app.get("/")
def ready() -> str:
    return "ready"


@app.post("/classify")
def classify(content: Annotated[bytes, Depends(body)]) -> dict[str, object]:
    return answer(run(SESSION, decode(content)[np.newaxis])[0])
