"""Messages about progress: printed where logging is interactive, else logged."""

from __future__ import annotations

import logging

from graphc import config
from graphc.utils.progbar import write


def print_msg(message: str, line_break: bool = True) -> None:
    """Prints a message, or gives it to the logger `graphc` if `config.disable_interactive_logging` was called."""
    if config.is_interactive_logging_enabled():
        write(message + "\n" if line_break else message)
    else:
        logging.getLogger("graphc").info(message)
