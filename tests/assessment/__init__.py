"""Tests of riskcalc.assessment."""
