"""Large campaigns: the same questions as tests ask, thousands of times. Each is run by hand; the suite keeps a few."""
