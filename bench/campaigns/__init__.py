"""Campaigns: many attacks of one kind on the real thing, too long for the test suite, which keeps five of each."""
