"""An AlexNet for colour images of 32×32, as comparisons of optimizers train it: 56,826,698 parameters."""

from torch import nn

from training.networks.contract import InputContract

CONTRACT = InputContract(size=32, network_size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class AlexNetCifar(nn.Sequential):
    """float32 [N, 3, 32, 32] → logits [N, classes]. A ReLU behind a pool is the one before it, for less."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(3, 64, 3, padding=1),  # N x 64 x 32 x 32
            nn.MaxPool2d(2),  # N x 64 x 16 x 16
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 192, 3, padding=1),  # N x 192 x 16 x 16
            nn.MaxPool2d(2),  # N x 192 x 8 x 8
            nn.ReLU(inplace=True),
            nn.Conv2d(192, 384, 3, padding=1),  # N x 384 x 8 x 8
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),  # N x 256 x 8 x 8
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),  # N x 256 x 8 x 8
            nn.MaxPool2d(2),  # N x 256 x 4 x 4
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(6),  # N x 256 x 6 x 6
            nn.Flatten(),  # N x 9216
            nn.Dropout(0.5),
            nn.Linear(9216, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Linear(4096, classes),  # N x classes
        )
