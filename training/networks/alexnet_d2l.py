"""The AlexNet of "Dive into Deep Learning" (Zhang et al., section 8.1), for one grey channel: 46,764,746 parameters."""

from torch import nn

from training.networks.contract import InputContract

CONTRACT = InputContract(size=28, network_size=224, mean=(0.0,), std=(1.0,))


def begin_by_xavier(module: nn.Module) -> None:
    """Uniform weights after Glorot and Bengio (2010), as the book begins."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)


class AlexNetD2L(nn.Sequential):
    """float32 [N, channels, 224, 224] → logits [N, classes]. A ReLU behind a pool is the one before it, for less."""

    def __init__(self, classes: int = 10, channels: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, 96, 11, stride=4, padding=1),  # N x 96 x 54 x 54
            nn.MaxPool2d(3, stride=2),  # N x 96 x 26 x 26
            nn.ReLU(inplace=True),
            nn.Conv2d(96, 256, 5, padding=2),  # N x 256 x 26 x 26
            nn.MaxPool2d(3, stride=2),  # N x 256 x 12 x 12
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 384, 3, padding=1),  # N x 384 x 12 x 12
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1),  # N x 384 x 12 x 12
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),  # N x 256 x 12 x 12
            nn.MaxPool2d(3, stride=2),  # N x 256 x 5 x 5
            nn.ReLU(inplace=True),
            nn.Flatten(),  # N x 6400
            nn.Linear(6400, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),  # N x 4096
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),  # N x classes
        )
        begin_by_xavier(self)
