"""What Lastgood costs and how quickly it acts, measured: ``python -m benchmarks --list``."""
