"""Pure judgement: what a call would do and whether it may. Reads files' identities, changes nothing."""
