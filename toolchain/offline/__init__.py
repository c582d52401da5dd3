"""What builds or stands in for what a host cannot download; see README.md."""
