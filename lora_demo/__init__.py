"""Teach a frozen ImageNet classifier something new from a few pictures, with LoRA."""

from lora_demo.adapter_files import load_adapter, open_adapter, read_adapter_spec, save_adapter
from lora_demo.adapters import Adapter, Lora, new_adapter
from lora_demo.backbones import BASE_MODELS, FrozenModel, load_model
from lora_demo.errors import AdapterFileError, ImageError, LoraDemoError, WeightsError
from lora_demo.evaluation import Comparison, Prediction, compare
from lora_demo.features import Features, FeatureSet, read_feature_set, read_features
from lora_demo.forgetting import Broken, class_prototypes, count_broken
from lora_demo.images import LabelledImage, open_image, read_class_folder, read_class_folders
from lora_demo.lab import Result, judge, sweep
from lora_demo.leave_one_out import HeldBack, Score, leave_one_out
from lora_demo.specs import AdapterSpec, Placement, Size, TrainingSettings, adapter_size
from lora_demo.training import FitProgress, LossPoint, fit, train
