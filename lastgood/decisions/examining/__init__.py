"""What `doctor` makes of what was read: each thing that a release will need, and how it stands."""
