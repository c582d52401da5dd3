"""What all suites have in common."""

import hypothesis

# Several suites may share a slow machine: an example's time says nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=50)
hypothesis.settings.load_profile("suite")
