"""Light that falls off: darker corners, a lamp at one side. A smooth surface through the border tells how it falls."""

import numpy as np

SAMPLES = 2000  # pixels of the border that the surface is fitted to
ROUNDS = 20  # of the fit: then it moves by less than a grey level
OFF = 0.02  # share of the border that may differ from its median: light need not be evened for less
EVENED = 0.05  # share of the border that may differ from the surface: of more colours it is not the light alone
DARK = 64  # grey levels: on a darker background light is added, not multiplied


def even(rgb: np.ndarray, tolerance: float) -> np.ndarray | None:
    """The picture as if its background were lit evenly.

    A polynomial of the second degree is fitted to the border, by least absolute deviations: an item that reaches the
    edge does not bend it. The picture is divided by it.

    Args:
        rgb: uint8 (height, width, 3).
        tolerance: grey levels by which a background may differ from its own median.

    Returns:
        uint8, of the same shape; None where the light is even already, or the background has other colours, not shades.
    """
    height, width = rgb.shape[:2]
    y, x = np.nonzero(ring(height, width))
    chosen = slice(None, None, max(1, len(y) // SAMPLES))
    y, x = y[chosen], x[chosen]
    edge = rgb[y, x].astype(float)
    colour = np.median(edge, axis=0)
    before = _off(edge - colour, tolerance)
    if before <= OFF:
        return None
    terms = np.stack(_terms(2 * y / height - 1, 2 * x / width - 1), axis=1)
    factors = _fit(terms, edge)
    if _off(edge - terms @ factors, tolerance) > min(EVENED, before / 2):
        return None
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    evened = np.empty_like(rgb)
    for channel, level in enumerate(colour):
        parts = zip(factors[:, channel].astype(np.float32), _terms(rows, columns), strict=True)
        surface = np.clip(sum(factor * term for factor, term in parts), level / 3, 3 * level)
        levels = rgb[:, :, channel]
        lit = levels * (level / surface) if colour.mean() >= DARK else levels + (level - surface)
        evened[:, :, channel] = np.clip(np.rint(lit), 0, 255)
    return evened


def ring(height: int, width: int, thick: int | None = None) -> np.ndarray:
    """The border of a picture, bool (height, width): so many pixels thick, or 2% of the shorter edge, at least one."""
    if thick is None:
        thick = max(1, min(height, width) // 50)
    edge = np.ones((height, width), bool)
    edge[thick:-thick, thick:-thick] = False
    return edge


def _terms(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a polynomial of the second degree is a sum of, at places from -1 to 1; of shapes that broadcast."""
    return np.ones_like(x), x, y, x * x, x * y, y * y


def _fit(terms: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Factors, float (6, 3), for which terms (n, 6) @ factors deviate least from levels (n, 3), in absolute values."""
    weights = np.ones(len(levels))
    for _ in range(ROUNDS):
        weighted = terms * weights[:, None]
        factors = np.linalg.lstsq(weighted.T @ terms, weighted.T @ levels, rcond=None)[0]
        weights = 1 / np.maximum(1, np.abs(levels - terms @ factors).max(axis=1))
    return factors


def _off(differences: np.ndarray, tolerance: float) -> float:
    """The share of pixels (n, 3) of which a channel differs by more."""
    return float((np.abs(differences) > tolerance).any(axis=1).mean())
