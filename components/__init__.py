"""Components: what is decided (`planning/`), what is declared (here), what is run (`runtime/`)."""
