"""Coming back: recovery points, their restore, and the proof that a restore works.

One recovery point is one consistent cut over store, evidence, token and configuration, encrypted to recipients whose
identity is kept elsewhere. A restore ends with a reconciliation: what the mirrored evidence says happened after the cut
is brought back, so that nothing revoked lives again. Read ``run.py``, then ``restore.py`` and
``reconcile.py``.
"""
