"""The rehearsal: the whole day on real parts, in a laboratory that ends with it. Start reading at ``run.py``."""
