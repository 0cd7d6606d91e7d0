"""TorchServe's handler: the TorchScript file of the same network."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image


class Digits:
    def initialize(self, context: Any) -> None:
        torch.set_num_threads(1)
        folder = context.system_properties["model_dir"]
        self.model = torch.jit.freeze(torch.jit.load(Path(folder, "model.pt")).eval())
        self.initialized = True

    def handle(self, data: list[dict[str, bytes]]) -> list[dict[str, object]]:
        images = [np.asarray(Image.open(io.BytesIO(row.get("data") or row["body"])).convert("L")) for row in data]
        with torch.inference_mode():
            probabilities, _ = self.model(torch.from_numpy(np.stack(images)))
        return [{"digit": int(row.argmax()), "probabilities": row.tolist()} for row in probabilities]


handler = Digits()


def handle(data: list[dict[str, bytes]] | None, context: Any) -> list[dict[str, object]] | None:
    if not getattr(handler, "initialized", False):
        handler.initialize(context)
    return handler.handle(data) if data else None
