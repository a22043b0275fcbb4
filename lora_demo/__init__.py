"""Teach a frozen ImageNet classifier something new from a few pictures, with LoRA."""

from importlib import import_module

_ROOM = {  # of each public name: imported when it is first asked for, as torch takes seconds
    "Adapter": "adapters",
    "AdapterFileError": "errors",
    "AdapterSpec": "specs",
    "BASE_MODELS": "backbones",
    "Broken": "forgetting",
    "Comparison": "evaluation",
    "DivergedError": "errors",
    "Features": "features",
    "FeatureSet": "features",
    "FitProgress": "training",
    "FrozenModel": "backbones",
    "HeldBack": "cross_validation",
    "ImageError": "errors",
    "LabelledImage": "images",
    "Lora": "adapters",
    "LoraDemoError": "errors",
    "LossPoint": "training",
    "Placement": "specs",
    "Prediction": "evaluation",
    "Result": "lab",
    "Score": "cross_validation",
    "Size": "specs",
    "TrainingSettings": "specs",
    "WeightsError": "errors",
    "adapter_size": "specs",
    "class_prototypes": "forgetting",
    "compare": "evaluation",
    "count_broken": "forgetting",
    "fit": "training",
    "judge": "lab",
    "leave_one_out": "cross_validation",
    "load_adapter": "adapter_files",
    "load_model": "backbones",
    "new_adapter": "adapters",
    "open_adapter": "adapter_files",
    "open_image": "images",
    "read_adapter_spec": "adapter_files",
    "read_class_folder": "class_folders",
    "read_class_folders": "class_folders",
    "read_feature_set": "features",
    "read_features": "features",
    "save_adapter": "adapter_files",
    "sweep": "lab",
    "train": "training",
    "variants": "lab",
}
__all__ = list(_ROOM)


def __getattr__(name: str) -> object:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
