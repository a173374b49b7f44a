"""What the GPUs do, asked of NVIDIA's own library; no process is started for it."""

from __future__ import annotations

import ctypes
import os
from typing import Any

_DEVICE = "/dev/nvidiactl"
#: Where Windows lends its driver to Linux.
_WSL = "/dev/dxg"


class _Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class Gpus:
    """The GPUs that this process may use; none where there is no driver.

    Parameters
    ----------
    library
        NVML, by default the one of the machine.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library or _library()
        self._devices = [d for d in self._all() if self._visible(d)] if self._library else []

    def names(self) -> list[str]:
        """Return their names."""
        return [device["name"] for device in self._devices]

    def sample(self) -> list[dict[str, Any]]:
        """Return ``name``, ``utilization`` (percent), ``memory``, ``memory_total`` of each."""
        return [self._one(device) for device in self._devices]

    def _one(self, device: dict[str, Any]) -> dict[str, Any]:
        used, memory = _Utilization(), _Memory()
        self._ask("nvmlDeviceGetUtilizationRates", device["handle"], ctypes.byref(used))
        self._ask("nvmlDeviceGetMemoryInfo", device["handle"], ctypes.byref(memory))
        return {
            "name": device["name"],
            "utilization": float(used.gpu),
            "memory": int(memory.used),
            "memory_total": int(memory.total),
        }

    def _all(self) -> list[dict[str, Any]]:
        count = ctypes.c_uint()
        if not self._ask("nvmlInit_v2") or not self._ask(
            "nvmlDeviceGetCount_v2", ctypes.byref(count)
        ):
            return []
        found = (self._device(index) for index in range(count.value))
        return [device for device in found if device is not None]

    def _device(self, index: int) -> dict[str, Any] | None:
        handle = ctypes.c_void_p()
        if not self._ask(
            "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle)
        ):
            return None
        name = self._text("nvmlDeviceGetName", handle)
        uuid = self._text("nvmlDeviceGetUUID", handle)
        return {"index": str(index), "handle": handle, "name": name, "uuid": uuid}

    def _text(self, function: str, handle: ctypes.c_void_p) -> str:
        text = ctypes.create_string_buffer(96)
        self._ask(function, handle, text, ctypes.c_uint(len(text)))
        return text.value.decode("utf-8", "replace")

    def _visible(self, device: dict[str, Any]) -> bool:
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if chosen is None:
            return True
        names = [name.strip() for name in chosen.split(",") if name.strip()]
        return any(
            name == device["index"] or device["uuid"].startswith(name if "-" in name else "?")
            for name in names
        )

    def _ask(self, function: str, *arguments: Any) -> bool:
        """Call the library and tell whether it did as it was asked."""
        try:
            return bool(getattr(self._library, function)(*arguments) == 0)
        # An older driver lacks the function.
        except AttributeError:
            return False


def _library() -> Any:
    if not os.path.exists(_DEVICE) and not os.path.exists(_WSL):
        return None
    try:
        return ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
