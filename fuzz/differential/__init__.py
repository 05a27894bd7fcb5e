"""Sends the same random requests to tollgate, lighttpd and nginx, and tells where they disagree."""
