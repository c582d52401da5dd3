"""The steps that run in containers, and the registration of data sets."""
