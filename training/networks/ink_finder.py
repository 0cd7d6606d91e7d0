"""A small U-Net (Ronneberger et al. 2015) that tells the ink of what is to be read from all else in a picture."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Pixels a side of a picture.
SIDE = 64

# Grey levels added to a standard deviation, so that the noise of a blank sheet is not taken for ink.
LEAST_SPREAD = 3.0

# Pixels: the width of the neighbourhoods that each pixel is compared with, beside the picture as a whole, where a black
# margin leaves a faint digit next to no contrast.
NEIGHBOURHOODS = (4.0, 12.0)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class InkFinder(nn.Module):
    """uint8 [N, 64, 64] → logits of ink [N, 64, 64]. 428,244 parameters."""

    around: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("around", torch.stack([*map(smoothing, NEIGHBOURHOODS)]), persistent=False)
        self.down1 = conv(1 + len(NEIGHBOURHOODS), 16, 5, stride=2)  # N x 16 x 32 x 32
        self.down2 = nn.Sequential(conv(16, 32, stride=2), conv(32, 32))  # N x 32 x 16 x 16
        self.down3 = nn.Sequential(conv(32, 64, stride=2), conv(64, 64))  # N x 64 x 8 x 8
        self.down4 = nn.Sequential(conv(64, 96, stride=2), conv(96, 96), conv(96, 96))  # N x 96 x 4 x 4
        self.up3 = conv(96 + 64, 64)  # N x 64 x 8 x 8
        self.up2 = conv(64 + 32, 32)  # N x 32 x 16 x 16
        self.up1 = nn.Sequential(conv(32 + 16, 24), conv(24, 24))  # N x 24 x 32 x 32
        self.out = nn.Conv2d(24, 4, 1)  # N x 4 x 32 x 32, the four pixels of each

    def forward(self, images: Tensor) -> Tensor:
        levels = images.to(torch.float32)
        # In float32 where the rest is trained in bfloat16, which has no more than the whole levels from 128 on.
        with torch.autocast(images.device.type, enabled=False):
            within = [standardised_around(levels, around) for around in self.around]
        one = self.down1(torch.stack([standardised(levels), *within], dim=1))
        two = self.down2(one)
        three = self.down3(two)
        four = self.down4(three)
        # What the whole picture is like, told to each of its parts.
        four = four + four.mean((2, 3), keepdim=True)
        three = self.up3(torch.cat([twice(four), three], dim=1))
        two = self.up2(torch.cat([twice(three), two], dim=1))
        one = self.up1(torch.cat([twice(two), one], dim=1))
        return F.pixel_shuffle(self.out(one), 2).squeeze(1)


def twice(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")


def standardised(levels: Tensor) -> Tensor:
    """float32 [N, 64, 64], each with a mean of 0; whatever its contrast, about as strong."""
    distance = levels - levels.mean((1, 2), keepdim=True)
    spread = distance.square().mean((1, 2), keepdim=True).sqrt()
    return distance / (spread + LEAST_SPREAD)


def standardised_around(levels: Tensor, around: Tensor) -> Tensor:
    """The same of each pixel among those around it, weighed by the `smoothing` of rows and of columns."""
    distance = levels - around @ levels @ around.T
    spread = (around @ distance.square() @ around.T).sqrt()
    return distance / (spread + LEAST_SPREAD)


def smoothing(width: float) -> Tensor:
    """float32 [64, 64]: a Gaussian of standard deviation `width` around each place; each row's sum is 1."""
    places = torch.arange(SIDE, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)
