"""A graphics card, played by the CPU: tensors that say that they lie on it, with real numbers."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

GPU = torch.device("cuda", 0)
# What torch's C++ sees in its place: a device without kernels, so that nothing can be computed
# there but by way of the mode below, and whose backward pass stays in the thread that asks for it
UNDERNEATH = "lazy"
MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class WrongDeviceError(AssertionError):
    pass


class OnGpu(Tensor):
    """A tensor on the GPU; `numbers`, on the CPU, hold its values."""

    numbers: Tensor
    device = GPU
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "OnGpu":
        layout = {"strides": numbers.stride(), "storage_offset": numbers.storage_offset()}
        tensor = Tensor._make_wrapper_subclass(
            cls, numbers.shape, dtype=numbers.dtype, device=UNDERNEATH, **layout
        )
        tensor.numbers = numbers
        return tensor

    @classmethod
    def __torch_dispatch__(cls, op: Callable, types, args=(), kwargs=None) -> object:
        raise WrongDeviceError(f"{op} on the GPU outside of PlayedGpu")

    def tolist(self) -> list:
        return self.numbers.tolist()

    def __repr__(self) -> str:
        return f"OnGpu({self.numbers})"


class PlayedGpu(TorchDispatchMode):
    """Inside of it "cuda:0" can be asked for, and an operation on two devices fails.

    It is stricter than CUDA, which takes indices on the CPU, too. As with CUDA, a single number,
    a tensor without dimensions, may lie on the CPU.
    """

    def __torch_dispatch__(self, op: Callable, types, args=(), kwargs=None) -> object:
        kwargs = dict(kwargs or {})
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        elsewhere = [t for t in tensors if t.dim() and not isinstance(t, OnGpu)]
        to_gpu = any(isinstance(t, OnGpu) for t in tensors)
        if to_gpu and elsewhere and op not in MOVES:
            places = ", ".join(f"{list(t.shape)} on {t.device}" for t in tensors)
            raise WrongDeviceError(f"{op} of {places}")
        if asked := kwargs.get("device"):
            to_gpu = torch.device(asked).type in (GPU.type, UNDERNEATH)
            kwargs["device"] = torch.device("cpu") if to_gpu else asked

        given = {id(_numbers(t)): t for t in tensors}  # what is changed in place stays itself
        args, kwargs = tree_map_only(Tensor, _numbers, (args, kwargs))
        place = OnGpu if to_gpu else lambda t: t
        return tree_map_only(
            Tensor, lambda t: given[id(t)] if id(t) in given else place(t), op(*args, **kwargs)
        )


def _numbers(tensor: Tensor) -> Tensor:
    return tensor.numbers if isinstance(tensor, OnGpu) else tensor
