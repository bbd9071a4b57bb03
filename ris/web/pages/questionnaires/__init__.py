"""Questionnaires as those who write them see them: drafts, previews, versions, files."""
