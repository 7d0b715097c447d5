"""The record of every decision and effect: append-only, hash-chained, readable without Ralph."""
