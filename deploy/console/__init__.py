"""The console put together: its menu, the overview that draws on every package, and its place beside the interface."""
