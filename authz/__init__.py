"""Decisions: who may do what in which security domain, and why.

``policy.py`` loads and lints the policies, ``engine.py`` evaluates them, ``entities.py`` reads the register,
``decision.py`` joins the three and records every answer before it is given. ``application.py`` and ``appfile.py``
describe what stands behind a gateway, ``gateway.py`` decides about one request there, ``nginx.py`` and
``locations.py`` make nginx ask. ``authzen.py`` and ``explanation.py`` answer others. Start reading at ``decision.py``.
"""
