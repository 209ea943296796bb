"""Whole installed packages, converted and compared with their originals."""
