"""Tests of riskcalc.excel."""
