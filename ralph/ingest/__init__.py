"""Pages in, pieces out. No network, no database, no home directory."""
