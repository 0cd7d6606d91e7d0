"""What digits are written on, drawn by code: paper in some light, with the lines, edges and holes that it may have."""

import math
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from service.picture.shapes import Box

# [H, W]: grey levels 0 to 255, or the share of a pixel that something covers, 0 to 1.
Plane = NDArray[np.floating[Any]]


def coordinates(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """y and x of each pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return y, x


def paper(shape: tuple[int, int], blotches: float, rng: Generator) -> Plane:
    """Grey levels of a blank sheet in uneven light, now and then with the shadow of a hand.

    `blotches`: the largest standard deviation of those that some paper has.
    """
    y, x = coordinates(shape)
    y, x = y / max(shape) * 2 - 1, x / max(shape) * 2 - 1
    level = rng.uniform(90, 250)
    uneven = rng.random() < 0.7
    slopes = rng.normal(0, 12, 4) if uneven else np.zeros(4)
    sheet = level + slopes[0] * x + slopes[1] * y - abs(slopes[2]) * x * x - abs(slopes[3]) * y * y
    if rng.random() < 0.15:
        sheet = sheet - rng.uniform(10, 70) * half_plane(shape, rng, softness=rng.uniform(0.5, 12))
    if rng.random() < 0.3:
        knots = max(2, shape[0] // 8), max(2, shape[1] // 8)
        coarse = rng.normal(0, rng.uniform(0.1, 1) * blotches, knots).astype(np.float32)
        sheet = sheet + np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC))
    blank: Plane = sheet.astype(np.float32)
    return blank


def half_plane(shape: tuple[int, int], rng: Generator, softness: float) -> Plane:
    """1 on one side of a random straight line through the picture, 0 on the other."""
    y, x = coordinates(shape)
    angle = rng.uniform(0, 2 * math.pi)
    away = (x - rng.uniform(0, shape[1])) * math.cos(angle) + (y - rng.uniform(0, shape[0])) * math.sin(angle)
    return np.clip(away / softness + 0.5, 0, 1).astype(np.float32)


def stripes(across: Plane, pitch: float, width: float, phase: float) -> Plane:
    """Coverage of lines `width` wide, each `pitch` from the next, `across` being the distance from the first."""
    distance = np.abs((across - phase + pitch / 2) % pitch - pitch / 2)
    covered: Plane = np.clip(width / 2 + 0.5 - distance, 0, min(1.0, width)).astype(np.float32)
    return covered


def ruling(shape: tuple[int, int], digit: int, squared_share: float, rng: Generator) -> Plane:
    """Coverage of ruled or squared paper, not level, not parallel. `digit`: its side in pixels."""
    y, x = coordinates(shape)
    angle = rng.normal(0, 0.06) if rng.random() < 0.8 else rng.uniform(-0.5, 0.5)
    tilt = rng.normal(0, 0.1) / max(shape)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    across, along = across * (1 + tilt * x), along * (1 + tilt * y)
    squared = rng.random() < squared_share
    pitch = max(4.0, digit * (rng.uniform(0.2, 1.3) if squared else rng.uniform(0.5, 2.5)))
    width = max(0.3, min(pitch / 5, digit * rng.uniform(0.01, 0.07)))
    lines = stripes(across, pitch, width, rng.uniform(0, pitch))
    return np.maximum(lines, stripes(along, pitch, width, rng.uniform(0, pitch))) if squared else lines


def frame(shape: tuple[int, int], box: Box, rng: Generator) -> Plane:
    """Coverage of the lines of a form's or a sudoku's cell around the digit: one side to all four."""
    gap = 1 + box.side * rng.uniform(0.06, 0.5, 4)
    width = max(0.7, box.side * rng.uniform(0.01, 0.12))
    y, x = coordinates(shape)
    y, x = y + rng.normal(0, 0.03) * x, x + rng.normal(0, 0.03) * y
    away = (box.top - gap[0] - y, y - box.bottom - gap[1], box.left - gap[2] - x, x - box.right - gap[3])
    sides = rng.random(4) < rng.choice([0.35, 1.0], p=[0.6, 0.4])
    kept = [
        np.clip(width / 2 + 0.5 - np.abs(one - width / 2), 0, 1) for one, side in zip(away, sides, strict=True) if side
    ]
    lines = np.maximum.reduce(kept) if kept else np.zeros(shape)
    if rng.random() < 0.4:  # a single cell, and no table: its lines end at its corners
        outside = np.maximum.reduce(away) > width
        lines = np.where(outside, 0, lines)
    return lines.astype(np.float32)


def beyond_the_edge(shape: tuple[int, int], box: Box, rng: Generator) -> Plane:
    """Coverage of what lies beside the sheet: a scanner's black, a table top. It keeps off the digit."""
    y, x = coordinates(shape)
    gap = box.side * rng.uniform(0.08, 1.2)
    slope = rng.normal(0, 0.04)
    edges = (
        box.top - gap - y + slope * x,
        y - box.bottom - gap + slope * x,
        box.left - gap - x + slope * y,
        x - box.right - gap + slope * y,
    )
    away = edges[rng.integers(4)]
    if rng.random() < 0.3:
        away = np.maximum(away, edges[rng.integers(4)])
    return np.clip(away / rng.uniform(0.5, 3) + 0.5, 0, 1).astype(np.float32)


def hole(shape: tuple[int, int], box: Box, rng: Generator) -> Plane:
    """Coverage of a punched hole or a stain beside the digit."""
    y, x = coordinates(shape)
    radius = box.side * rng.uniform(0.04, 0.3)
    angle = rng.uniform(0, 2 * math.pi)
    away = box.side * rng.uniform(0.75, 1.3) + radius
    row = (box.top + box.bottom) / 2 + away * math.sin(angle)
    column = (box.left + box.right) / 2 + away * math.cos(angle)
    covered: Plane = np.clip(radius - np.hypot(y - row, x - column) + 0.5, 0, 1).astype(np.float32)
    return covered


def specks(shape: tuple[int, int], rng: Generator) -> Plane:
    """Coverage of dust, full stops and the like, a pixel or some large."""
    dots = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 6)):
        size = int(rng.integers(1, max(2, max(shape) // 24) + 1))
        row, column = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        dots[row : row + size, column : column + size] = rng.uniform(0.5, 1)
    return dots
