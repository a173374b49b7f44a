"""PyTorch tensors as out-of-band buffers, back on their device or on the CPU.

PyTorch's own pickling copies every storage into the stream and insists on the device that it
came from. Here a storage's bytes go out of band, once for all the tensors that share it, and
a tensor from a GPU comes back on the CPU where the reader has none.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any, Dict, Optional, Tuple


class Storage:
    """The bytes of one torch storage, rebuilt once for all tensors that share it."""

    def __init__(self, data: Any, device: str) -> None:
        self.data = data
        self.device = device
        self._storage: Any = None

    def __reduce__(self) -> Tuple[Any, Tuple[Any, str]]:
        return Storage, (pickle.PickleBuffer(self.data), self.device)

    def rebuilt(self) -> Any:
        """Return the torch storage, on its device where there is one."""
        if self._storage is None:
            import torch

            raw = torch.frombuffer(self.data, dtype=torch.uint8) if len(self.data) else None
            plain = raw.untyped_storage() if raw is not None else torch.UntypedStorage(0)
            self._storage = _moved(plain, self.device)
        return self._storage


def _moved(storage: Any, device: str) -> Any:
    import torch

    kind = device.partition(":")[0]
    if kind == "cpu":
        return storage
    backend: Any = getattr(torch, kind, None)
    index = int(device.partition(":")[2] or 0)
    if backend is None or not backend.is_available() or index >= backend.device_count():
        return storage
    return torch.empty(0, dtype=torch.uint8).set_(storage).to(device).untyped_storage()


class Sharing:
    """Reduces tensors for one pickler and remembers which storages it has met."""

    def __init__(self) -> None:
        self._met: Dict[int, Storage] = {}

    def reduce(self, obj: Any) -> Optional[Tuple[Any, ...]]:
        """Return how to rebuild a plain dense tensor; None for anything else."""
        torch = sys.modules.get("torch")
        kind = getattr(torch, "Tensor", None)
        if kind is None or type(obj) is not kind or not _plain(torch, obj):
            return None
        storage = obj.untyped_storage()
        # Keyed by the address: torch wraps one storage in a new Python object each time.
        address = storage.data_ptr()
        if address not in self._met or not address:
            self._met[address] = _captured(torch, storage)
        shape = (obj.storage_offset(), tuple(obj.size()), tuple(obj.stride()))
        name = str(obj.dtype).partition(".")[2]
        return rebuild, (self._met[address], name, *shape, obj.requires_grad)


def _plain(torch: Any, tensor: Any) -> bool:
    dense = tensor.layout is torch.strided and not tensor.is_quantized
    return dense and tensor.is_leaf and tensor.device.type != "meta" and not tensor.is_conj()


def _captured(torch: Any, storage: Any) -> Storage:
    device = str(storage.device)
    flat = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage).cpu()
    # numpy is the one way to a buffer; torch's own tensors don't offer one.
    return Storage(memoryview(flat.numpy()), device)


def rebuild(
    storage: Storage,
    dtype: str,
    offset: int,
    size: Tuple[int, ...],
    stride: Tuple[int, ...],
    requires_grad: bool,
) -> Any:
    """Rebuild a tensor that `Sharing.reduce` took apart."""
    import torch

    whole = storage.rebuilt()
    empty = torch.empty(0, dtype=getattr(torch, dtype), device=whole.device)
    tensor = empty.set_(whole, offset, size, stride)
    return tensor.requires_grad_(requires_grad)
