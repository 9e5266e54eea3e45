"""Tests that may be looked at as often as one likes, and what they are built from."""
