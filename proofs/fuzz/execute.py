"""One process of `python -m proofs.fuzz`, which a file that breaks a decoder may take down.

It prepares mutant after mutant as the service does, and says which one is in work, so that its parent knows who did it.
"""

import mmap
import os
import pickle
import random
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from proofs.fuzz.corpus import Corpus
from proofs.fuzz.mutate import mutant
from service.fleet.preparer import limit_memory
from service.fleet.preparers import BYTES_A_PIXEL, BYTES_BESIDE
from service.picture.prepare import Prepared, Wanted, is_quick, prepare, warm_up

DIGITS = Wanted(reads_digits=True, shape=(28, 28), max_pixels=16_000_000)
COLOURS = Wanted(reads_digits=False, shape=(3, 32, 32), max_pixels=16_000_000)

# Seconds of the processor, which a busy machine does not change: more is a finding, and far more ends the process.
LONGEST, END = 1.0, 10.0
# Of a file that the service reads in its loop.
LONGEST_QUICK = 0.1
# Bytes beyond what the process has when it begins.
MOST_MEMORY = 300_000_000
# Characters of what a client is told.
MOST_DETAIL = 300


def content_of(corpus: Corpus, seed: int, number: int) -> bytes:
    """The same for the same seed and number, whatever came before."""
    return mutant(corpus, random.Random(f"{seed} {number}"))


def wanted_of(number: int) -> Wanted:
    """Every third is read as a digit. The network that finds ink takes nine tenths of that one's time, and sees 64×64
    pixels whatever the file; the same second has three times as many files for scans and decoders this way."""
    return DIGITS if number % 3 == 0 else COLOURS


def wrong_with(content: bytes, wanted: Wanted, outcomes: Counter[str]) -> Iterator[str]:
    """What is not as the service needs it, MemoryError among it."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        begin = time.process_time()
        try:
            prepared = prepare(content, wanted)
        except MemoryError:
            yield "memory error"
            return
        seconds = time.process_time() - begin
    outcomes[outcome(prepared)] += 1
    if seconds > LONGEST:
        yield f"slow: {seconds:.2f} s"
    elif seconds > LONGEST_QUICK and is_quick(content):
        yield f"slow in the loop: {seconds:.2f} s"
    if warned:
        yield f"warning: {warned[0].message}"
    yield from wrong_value(prepared, wanted)


def wrong_value(prepared: Prepared, wanted: Wanted) -> Iterator[str]:
    if sum(part is not None for part in (prepared.pixels, prepared.reason, prepared.fault)) != 1:
        yield "not exactly one of pixels, reason and fault"
    if prepared.fault and len(prepared.fault.detail) > MOST_DETAIL:
        yield f"a detail of {len(prepared.fault.detail)} characters"
    pixels = prepared.pixels
    if pixels is not None and (pixels.dtype != np.uint8 or pixels.shape[1:] != wanted.shape or len(pixels) > 2):
        yield f"pixels of {pixels.dtype} {pixels.shape}"


def outcome(prepared: Prepared) -> str:
    if prepared.fault:
        return prepared.fault.kind.value
    return "pixels" if prepared.pixels is not None else "refused"


def grown() -> int:
    """Bytes of this process at its largest. What getrusage has of it is its parent's too."""
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def say(**line: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def run(corpus: Corpus, seed: int, numbers: range, place: memoryview) -> None:
    """Ends early after a file that took too much memory: later ones could not be told from it."""
    outcomes: Counter[str] = Counter()
    before = grown()
    for number in numbers:
        place[0] = number
        content = content_of(corpus, seed, number)
        signal.setitimer(signal.ITIMER_PROF, END)
        for reason in wrong_with(content, wanted_of(number), outcomes):
            say(number=number, reason=reason)
        if grown() - before > MOST_MEMORY:
            say(number=number, reason=f"memory: {(grown() - before) / 1e6:.0f} MB")
            break
    signal.setitimer(signal.ITIMER_PROF, 0)
    say(outcomes=outcomes, next=number + 1, memory=grown() - before)


def main(arguments: list[str]) -> None:
    file_of_corpus, progress = map(Path, arguments[:2])
    seed, first, last = map(int, arguments[2:])
    # libtiff can be made to write gigabytes of warnings.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    warm_up()
    corpus: Corpus = pickle.loads(file_of_corpus.read_bytes())  # our own parent's
    for each in corpus.small.values():  # loads libraries and code that the first use loads
        prepare(each[0], DIGITS)
    with progress.open("r+b") as file:
        place = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    limit_memory(BYTES_BESIDE + BYTES_A_PIXEL * DIGITS.max_pixels)
    run(corpus, seed, range(first, last), place)


if __name__ == "__main__":
    main(sys.argv[1:])
