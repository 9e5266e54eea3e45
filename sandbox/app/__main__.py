"""`python -m sandbox.app`: one task's process, by hand (it exits when its stdin ends)."""

from sandbox.app.server import main

if __name__ == "__main__":
    main()
