"""AlexNet as Krizhevsky et al. (2012) give its sizes, on one device and without local response normalisation.

58,299,082 parameters for one channel and 10 classes; 62,378,344 for ImageNet's three channels and 1,000 classes.
"""

from torch import nn

from training.networks.contract import InputContract

CONTRACT = InputContract(size=28, network_size=227, mean=(0.0,), std=(1.0,))


class AlexNetPaper(nn.Sequential):
    """float32 [N, channels, 227, 227] → logits [N, classes]. A ReLU behind a pool is the one before it, for less."""

    def __init__(self, classes: int = 10, channels: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, 96, 11, stride=4),  # N x 96 x 55 x 55
            nn.MaxPool2d(3, stride=2),  # N x 96 x 27 x 27
            nn.ReLU(inplace=True),
            nn.Conv2d(96, 256, 5, padding=2),  # N x 256 x 27 x 27
            nn.MaxPool2d(3, stride=2),  # N x 256 x 13 x 13
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 384, 3, padding=1),  # N x 384 x 13 x 13
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1),  # N x 384 x 13 x 13
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),  # N x 256 x 13 x 13
            nn.MaxPool2d(3, stride=2),  # N x 256 x 6 x 6
            nn.ReLU(inplace=True),
            nn.Flatten(),  # N x 9216
            nn.Linear(9216, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),  # N x classes
        )
