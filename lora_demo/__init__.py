"""Teach a frozen ImageNet classifier something new from a few pictures, with LoRA."""

from importlib import import_module

_ROOM = {  # of each public name: imported when it is first asked for, as torch takes seconds
    "Adapter": "lora.adapter",
    "AdapterFileError": "errors",
    "AdapterSpec": "lora.spec",
    "BASE_MODELS": "backbones.models",
    "Broken": "lora.forgetting",
    "Comparison": "lora.evaluation",
    "DivergedError": "errors",
    "Features": "backbones.features",
    "FeatureSet": "backbones.features",
    "FitProgress": "lora.fitting",
    "FrozenModel": "backbones.models",
    "HeldBack": "lora.cross_validation",
    "ImageError": "errors",
    "LabelledImage": "images.reading",
    "Lora": "lora.adapter",
    "LoraDemoError": "errors",
    "LossPoint": "lora.fitting",
    "Placement": "lora.spec",
    "Prediction": "lora.evaluation",
    "Result": "lab",
    "Score": "lora.cross_validation",
    "Size": "lora.spec",
    "TrainingSettings": "lora.spec",
    "WeightsError": "errors",
    "adapter_size": "lora.spec",
    "class_prototypes": "lora.forgetting",
    "compare": "lora.evaluation",
    "count_broken": "lora.forgetting",
    "fit": "lora.fitting",
    "judge": "lab",
    "leave_one_out": "lora.cross_validation",
    "load_adapter": "checkpoints.files",
    "load_model": "backbones.models",
    "new_adapter": "lora.adapter",
    "open_adapter": "checkpoints.files",
    "open_image": "images.reading",
    "read_adapter_spec": "checkpoints.files",
    "read_class_folder": "images.folders",
    "read_class_folders": "images.folders",
    "read_feature_set": "backbones.features",
    "read_features": "backbones.features",
    "save_adapter": "checkpoints.files",
    "sweep": "lab",
    "train": "lora.fitting",
    "variants": "lab",
}
__all__ = list(_ROOM)


def __getattr__(name: str) -> object:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
