"""Our augmentation against kornia's, image for image: `python -m benchmarks.augmentation`.

Why `training/data/augment.py` is our own code: the figures are in this folder's README. kornia's per-sample affine map
and elastic displacement are two passes of interpolation; ours is one. The two are timed in turns; the medians and
their ratio are printed.
"""

import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from training.data.augment import ELASTIC_KNOTS, Augmentation, augment
from training.run import hardware

BATCH = 256
ROUNDS = 30


def kornia_augmentation(augmentation: Augmentation) -> Callable[[Tensor], Tensor]:
    import kornia.augmentation as K

    side = 28
    warp = K.AugmentationSequential(
        K.RandomAffine(
            degrees=augmentation.degrees,
            translate=(augmentation.shift / side, augmentation.shift / side),
            scale=(1 - augmentation.scale, 1 + augmentation.scale, 1 - augmentation.scale, 1 + augmentation.scale),
            shear=11.3,  # degrees: a horizontal shear of 0.2
            p=1.0,
        ),
        K.RandomElasticTransform(kernel_size=(15, 15), sigma=(4.0, 4.0), alpha=(0.1, 0.1), p=1.0),
    )

    def run(images: Tensor) -> Tensor:
        warped: Tensor = warp(images.unsqueeze(1).float())
        return warped.squeeze(1).round().to(torch.uint8)

    return run


def seconds(run: Callable[[Tensor], Tensor], images: Tensor) -> float:
    start = time.perf_counter()
    run(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    device = hardware.pick("auto")
    images = torch.randint(0, 256, (BATCH, 28, 28), dtype=torch.uint8, device=device)
    generator = Generator(device).manual_seed(0)
    augmentation = Augmentation()
    ways = {
        "ours": lambda batch: augment(batch, augmentation, generator),
        "kornia": kornia_augmentation(augmentation),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 3):
        for name, run in ways.items():
            spent = seconds(run, images)
            if turn >= 3:
                times[name].append(spent)
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    print(f"{hardware.describe(device)}, torch {torch.__version__}, batch {BATCH}, {ELASTIC_KNOTS} knots, n = {ROUNDS}")
    for name, median in medians.items():
        print(f"{name:7} {median * 1000:8.2f} ms a batch  {BATCH / median:10.0f} images/s")
    result = {"benchmark": "augmentation", "device": hardware.describe(device), "n": ROUNDS, **medians}
    print(json.dumps({**result, "kornia_over_ours": medians["kornia"] / medians["ours"]}))


if __name__ == "__main__":
    main()
