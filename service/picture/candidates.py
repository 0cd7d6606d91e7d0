"""What several candidates for the digit of one picture come to, once a network has read each."""

import math

# What is less counts as so much: none is so sure that it overrules all others. Chosen by the likelihood of pictures of
# others; at 1e-3 two that are sure could not come to more than 0.991, next to which a threshold has no room.
LEAST = 1e-5


def agreed(candidates: list[list[float]]) -> list[float]:
    """The geometric mean of their probabilities, to six places: a logarithmic opinion pool (Genest and Zidek 1986).

    Where two that are sure disagree, the answer is unsure; one that is in doubt itself has little weight.
    """
    if len(candidates) == 1:
        return candidates[0]
    means = [
        math.prod(max(one, LEAST) for one in column) ** (1 / len(column)) for column in zip(*candidates, strict=True)
    ]
    total = sum(means)
    return [round(mean / total, 6) for mean in means]
