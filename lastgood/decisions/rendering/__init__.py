"""A notice in each channel's form: pure functions, one file per channel."""
