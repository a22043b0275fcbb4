"""Teach a frozen ImageNet classifier something new from a few pictures, with LoRA.

`__init__.pyi` lists the public names. Each is imported when it is first used: torch takes seconds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
