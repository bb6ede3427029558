"""Settings of all tests."""

from hypothesis import settings

# The first example of a test pays for imports, and continuous integration is slow at times: no time limit per example.
settings.register_profile("brew", deadline=None)
settings.load_profile("brew")
