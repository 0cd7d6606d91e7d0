"""What stands between a sheet and its file: lens, hand, sensor, scanner and compression."""

import math
from io import BytesIO

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from training.data.paper import Plane


def blurred(grey: Plane, sigma: float) -> Plane:
    """Out of focus."""
    soft: Plane = gaussian_filter(grey, sigma)
    return soft


def shaken(grey: Plane, length: float, rng: Generator) -> Plane:
    """Blurred along a random direction over `length` pixels."""
    angle = rng.uniform(0, math.pi)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
    steps = np.linspace(-length / 2, length / 2, max(2, math.ceil(length) + 1))
    places = ([y + step * math.sin(angle), x + step * math.cos(angle)] for step in steps)
    moved: Plane = np.mean([map_coordinates(grey, place, order=1, mode="nearest") for place in places], axis=0)
    return moved


def developed(grey: Plane, noise: float, rng: Generator) -> np.ndarray:
    """uint8 [H, W]: with the sensor's noise, of any polarity, in a JPEG or not.

    `noise`: its largest standard deviation.
    """
    if rng.random() < 0.5:
        grey = grey + rng.normal(0, rng.uniform(0.05, 1) * noise, grey.shape).astype(np.float32)
    pixels = np.clip(stretched(grey, rng), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        pixels = 255 - pixels
    return compressed(pixels, int(rng.integers(25, 96))) if rng.random() < 0.45 else pixels


def static(shape: tuple[int, int], rng: Generator) -> np.ndarray:
    """uint8 [H, W] of noise alone, fine or coarse, as of a sensor in the dark."""
    coarse = gaussian_filter(rng.normal(0, 1, shape), rng.choice([0.0, 0.5, 1.0, 2.0]))
    level, spread = rng.uniform(30, 225), rng.uniform(2, 60)
    pixels: np.ndarray = np.clip(level + coarse * spread / max(float(coarse.std()), 1e-6), 0, 255).astype(np.uint8)
    return pixels


def stretched(grey: Plane, rng: Generator) -> Plane:
    """By a gamma, and in some files to the whole range of levels."""
    if rng.random() < 0.3:
        grey = np.float32(255) * np.clip(grey / 255, 0, 1) ** np.float32(math.exp(rng.normal(0, 0.4)))
    if rng.random() < 0.35:
        low, high = np.percentile(grey, (rng.uniform(0, 2), rng.uniform(97, 100)))
        grey = (grey - np.float32(low)) * np.float32(255 / max(high - low, 1))
    return grey


def scanned_in_one_bit(grey: Plane, rng: Generator) -> np.ndarray:
    """Cut at a level between ink and paper, in some files local; in some with ragged edges."""
    darkest, paper = float(grey.min()), float(np.median(grey))
    level: Plane | float = darkest + (paper - darkest) * rng.uniform(0.35, 0.75)
    if rng.random() < 0.3:
        level = gaussian_filter(grey, max(grey.shape) / 6) - (paper - darkest) * rng.uniform(0.1, 0.35)
    if rng.random() < 0.4:
        grey = grey + rng.normal(0, 0.12 * (paper - darkest + 1), grey.shape).astype(np.float32)
    bits = np.where(grey < level, 0, 255).astype(np.uint8)
    return 255 - bits if rng.random() < 0.4 else bits


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    """There and back through a JPEG."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
