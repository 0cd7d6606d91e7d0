"""Scenes made by all cores: drawing and normalising one takes milliseconds, and there are many."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import torch
from numpy.random import Generator
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from training.data.scenes import Sources

# In this many a process is given its work, each with random numbers of its own: how many processes there are, changes
# nothing.
CHUNK = 500

T = TypeVar("T")

# What `make` gives for so many scenes out of these sources.
Make = Callable[[Sources, Generator, int], T]

# Of this process.
remembered: list[Sources] = []


def in_chunks(make: "Make[T]", count: int, seed: list[int], sources: Sources) -> list[T]:
    """`make` is a function of a module, that other processes can import."""
    chunks = [(min(CHUNK, count - start), [*seed, sources.held_out, start]) for start in range(0, count, CHUNK)]
    # Not by fork: torch has threads by now. The sources travel once for each process.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), remember, (sources,)) as pool:
        made = pool.map(partial(make_chunk, make), chunks)
        return list(tqdm(made, "scenes", len(chunks), unit_scale=CHUNK, unit="scenes", mininterval=1, leave=False))


def remember(sources: Sources) -> None:
    torch.set_num_threads(1)
    # Small matrices: threads of numpy's linear algebra, one for each core in each process, take three times as long.
    threadpool_limits(1)
    remembered.append(sources)


def make_chunk(make: "Make[T]", chunk: tuple[int, list[int]]) -> T:
    count, seed = chunk
    return make(remembered[0], np.random.default_rng(seed), count)
