"""Tests of riskcalc.workshop."""
