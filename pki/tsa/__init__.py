"""The time-stamp authority (RFC 3161, 5816): a token over somebody's hash says that it was there at a time."""
