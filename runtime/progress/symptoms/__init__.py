"""What real logs say when something fails: cause and way out, grouped by where it comes from."""
