"""Coming back: recovery points, restore, drills."""
