"""Everything that a first try needs, running until Ctrl-C: docs/tutorial.md."""
