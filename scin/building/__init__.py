"""The stages of a build: photos are read, decoded and embedded, kept in shards on disk, and assembled to an index."""
