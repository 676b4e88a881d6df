"""Tests of riskcalc.loss."""
