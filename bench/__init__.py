"""Measurements: ratios and deterministic counts, side by side in one run."""
