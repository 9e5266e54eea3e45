"""Rules that judge a release, side by side on windows whose verdict is known."""
