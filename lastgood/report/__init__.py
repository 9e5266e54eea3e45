"""A release as one HTML page, for whoever was asleep when it happened."""
