from typing import Any


def get_file(*args: Any) -> Any: ...
