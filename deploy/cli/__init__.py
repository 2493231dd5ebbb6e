"""The command line: one module per noun; commands act as the person who logged in, over mutual TLS."""
