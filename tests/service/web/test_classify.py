"""What the network made of several candidates comes back to the image that they are of."""

from service.web.classify import Seen, of_one


def seen(number: int, batch: int) -> Seen:
    return Seen([[number, 1 - number]], batch, queued=number, ran=number, ended=number + 1)


def test_images_get_their_own_candidates_in_order() -> None:
    rows = iter([seen(0, 5), seen(1, 5), seen(2, 5), seen(3, 5), seen(4, 5)])
    first, second, third = of_one(rows, 2), of_one(rows, 1), of_one(rows, 2)
    assert first.candidates == [[0, 1], [1, 0]]
    assert second.candidates == [[2, -1]]
    assert third.candidates == [[3, -2], [4, -3]]
    assert next(rows, None) is None


def test_of_two_batches_the_later_one_counts() -> None:
    parted = of_one(iter([seen(0, 64), seen(1, 3)]), 2)
    assert parted.candidates == [[0, 1], [1, 0]]
    assert (parted.batch_size, parted.ended) == (3, 2)
