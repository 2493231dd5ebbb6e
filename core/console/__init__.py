"""The console's ground: pages for people, rendered here, without a word of what any of them is about.

Begin with ``page.py`` (how a page is made), ``form.py`` (how an act comes back) and ``viewer.py`` (who looks). Each
package has its own pages and templates; ``deploy/console/`` puts them together.
"""
