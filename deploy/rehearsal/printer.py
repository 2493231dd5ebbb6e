"""What a rehearsal shows while it runs: each step as it begins, what turns while it lasts, and what was seen."""

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from deploy.rehearsal.step import Step


class Printer:
    """The listener of a journal that prints to a console; on a terminal, a running step is seen to run."""

    def __init__(self, console: Console) -> None:
        """Print to ``console``."""
        self._console = console
        self._running: Status | None = None

    def __call__(self, step: Step, ended: bool) -> None:
        """Print the beginning of ``step``, or its end."""
        if ended:
            self._end(step)
        else:
            self._begin(step)

    def _begin(self, step: Step) -> None:
        self._line(Text(f"{step.number:2}. {step.title}", style="bold"))
        self._line(Text(f"    expected  {step.expected}", style="dim"))
        self._running = self._console.status("    …")
        self._running.start()

    def _end(self, step: Step) -> None:
        if self._running is not None:
            self._running.stop()
        for sentence in step.prose:
            self._line(Text(f"    seen      {sentence}"))
        if step.table:
            self._console.print(_table(step))
        verdict = Text("PASS", style="green") if step.ok else Text("FAIL", style="bold red")
        self._line(Text.assemble("    ", verdict, f"      {step.seconds:.2f} s"))

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _table(step: Step) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("", width=12)
    for name in step.table[0]:
        table.add_column(name, overflow="fold")
    for row in step.table:
        table.add_row("", *(Text(value) for value in row.values()))
    return table
