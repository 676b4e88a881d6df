"""Tests of riskcalc.cli."""
