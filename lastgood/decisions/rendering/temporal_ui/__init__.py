"""Workflows as the Temporal UI shows them: Markdown, one file per kind of workflow."""
