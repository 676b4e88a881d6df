"""Tests of riskcalc.register."""
