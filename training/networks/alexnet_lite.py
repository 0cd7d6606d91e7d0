"""A small AlexNet (after Krizhevsky et al. 2012) for grey images resized to 224×224.

It follows a published "simplified AlexNet" whose first Linear expects 192·5·5 features where its convolutions
give 13×13: AlexNet's third max-pool is missing there. Here one more overlapping max-pool, kernel 5 and stride 2,
brings 13 to 5; the head is the printed one. 1,578,442 parameters.
"""

from torch import nn

from training.networks.contract import InputContract

CONTRACT = InputContract(size=28, network_size=224, mean=(0.0,), std=(1.0,))


class AlexNetLite(nn.Sequential):
    """float32 [N, 1, 224, 224] → logits [N, classes].

    Each ReLU stands behind its max-pool: the same function and the same gradients, of a quarter of the values.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(1, 64, 11, stride=4, padding=2),  # N x 64 x 55 x 55
            nn.MaxPool2d(3, stride=2),  # N x 64 x 27 x 27
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 192, 5, padding=2),  # N x 192 x 27 x 27
            nn.MaxPool2d(3, stride=2),  # N x 192 x 13 x 13
            nn.ReLU(inplace=True),
            nn.MaxPool2d(5, stride=2),  # N x 192 x 5 x 5
            nn.Flatten(),  # N x 4800
            nn.Linear(192 * 5 * 5, 256),  # N x 256
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(256, 128),  # N x 128
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(128, classes),  # N x classes
        )
