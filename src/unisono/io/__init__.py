"""Reading, writing and fetching: the only package that touches the disk's formats or the network."""
