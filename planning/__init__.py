"""Decisions: settings in, frozen plans out. No pulumi, no engine, no clock, no network."""
