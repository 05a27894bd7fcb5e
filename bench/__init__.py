"""Compares tollgate with its peers; README.md says how."""
