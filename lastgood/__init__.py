"""Lastgood: brings an ECS service back to the last revision known to be good."""

__version__ = "0.1.0"
