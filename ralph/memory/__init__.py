"""Long-term memory: the store (SQLite, the one truth), the vector index (a cache of it), embedding and recall."""
