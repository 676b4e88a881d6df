"""Tests of riskcalc.run."""
