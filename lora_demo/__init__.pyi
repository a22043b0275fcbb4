# The public names and where each is defined. `lazy_loader` reads this file, and type checkers do.

# The frozen network
from .backbones.models import (
    BASE_MODELS as BASE_MODELS,
    BUILT_IN as BUILT_IN,
    FrozenModel as FrozenModel,
    load_model as load_model,
)
from .backbones.weights import (
    VGG19_MEGABYTES as VGG19_MEGABYTES,
    VGG19_VARIABLE as VGG19_VARIABLE,
    DownloadProgress as DownloadProgress,
    download_vgg19 as download_vgg19,
)

# Pictures and their classes
from .images.reading import (
    LabelledImage as LabelledImage,
    browser_copy as browser_copy,
    count_pixels as count_pixels,
    open_image as open_image,
)
from .images.folders import (
    class_folders as class_folders,
    picture_files as picture_files,
    read_class_folder as read_class_folder,
    read_class_folders as read_class_folders,
)
from .backbones.examples import (
    ReadingProgress as ReadingProgress,
    read_examples as read_examples,
)
from .backbones.features import (
    Features as Features,
    FeatureSet as FeatureSet,
    read_feature_set as read_feature_set,
    read_features as read_features,
)
from .class_names import (
    CATEGORIES as CATEGORIES,
    find_category as find_category,
    known_category as known_category,
    known_words as known_words,
    near_categories as near_categories,
)
from .spelling import tidy as tidy

# LoRA: what to train, training, strength
from .lora.recipes import (
    RECIPES as RECIPES,
    Placement as Placement,
    Recipe as Recipe,
    TrainingSettings as TrainingSettings,
)
from .lora.spec import (
    RANKS as RANKS,
    AdapterSpec as AdapterSpec,
    Size as Size,
    adapter_size as adapter_size,
)
from .lora.adapter import (
    Adapter as Adapter,
    Lora as Lora,
)
from .lora.methods import new_adapter as new_adapter
from .lora.fitting import (
    FitProgress as FitProgress,
    LossPoint as LossPoint,
    fit as fit,
    train as train,
)

# What it learned, and what it broke
from .lora.evaluation import (
    Broken as Broken,
    Change as Change,
    Changed as Changed,
    Comparison as Comparison,
    Prediction as Prediction,
    class_prototypes as class_prototypes,
    compare as compare,
    count_broken as count_broken,
)
from .lora.cross_validation import (
    HeldBack as HeldBack,
    Score as Score,
    leave_one_out as leave_one_out,
)
from .lab import (
    Result as Result,
    judge as judge,
    sweep as sweep,
    to_csv as to_csv,
    variants as variants,
)

# Files and errors
from .checkpoints.files import (
    load_adapter as load_adapter,
    open_adapter as open_adapter,
    read_adapter_spec as read_adapter_spec,
    save_adapter as save_adapter,
)
from .errors import (
    AdapterFileError as AdapterFileError,
    DivergedError as DivergedError,
    ImageError as ImageError,
    LoraDemoError as LoraDemoError,
    WeightsError as WeightsError,
    shorten as shorten,
    without_traceback as without_traceback,
)

# What one may ask for at most
from . import limits as limits
