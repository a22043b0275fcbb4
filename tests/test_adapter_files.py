"""Adapter files come back bit for bit, fit the article's module, and hostile ones are refused."""

import io
import json
import pickle
import resource
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from lora_demo import (
    AdapterFileError,
    AdapterSpec,
    Placement,
    TrainingSettings,
    WeightsError,
    fit,
    load_adapter,
    open_adapter,
    read_adapter_spec,
    save_adapter,
)
from tests.plain import PlainLora


@pytest.fixture(params=list(Placement))
def adapter(request, model, features):
    spec = AdapterSpec(model.name, request.param, 3, 7, ("goldfish",))
    *_, progress = fit(model, features, spec, TrainingSettings(3))
    return progress.adapter


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_format_round_trips_bit_for_bit(tmp_path, model, features, adapter, suffix):
    path = save_adapter(adapter, tmp_path / f"lora{suffix}")

    loaded = load_adapter(path, model)

    assert torch.equal(loaded.logits(features), adapter.logits(features))
    assert loaded.spec.rank == 3
    assert read_adapter_spec(path) == (adapter.spec if suffix == ".safetensors" else None)


def test_the_articles_module_loads_our_pth_and_we_load_its(tmp_path, model, features):
    *_, progress = fit(model, features, AdapterSpec(model.name), TrainingSettings(3))
    ours = save_adapter(progress.adapter, tmp_path / "lora.pth")
    article = PlainLora(150_528, 1000, rank=10)

    article.load_state_dict(torch.load(ours, weights_only=True))
    torch.save(article.state_dict(), tmp_path / "article.pth")
    back = load_adapter(tmp_path / "article.pth", model)

    delta = article(features.pixels)
    assert torch.equal(features.logits + delta, progress.adapter.logits(features))
    assert torch.equal(back.logits(features), progress.adapter.logits(features))
    assert set(torch.load(ours, weights_only=True)) == {"A", "B"}


def test_a_file_for_another_base_model_is_refused(tmp_path, random_vgg19, adapter):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")

    with pytest.raises(AdapterFileError, match=r"trained on efficientnet_lite0.*here is vgg19"):
        load_adapter(path, random_vgg19)


def test_a_pth_of_another_width_is_refused(tmp_path, random_vgg19, model, features):
    *_, progress = fit(model, features, AdapterSpec(model.name, "head"), TrainingSettings(1))
    path = save_adapter(progress.adapter, tmp_path / "lora.pth")

    with pytest.raises(AdapterFileError, match=r"“lora.pth” holds no LoRA that fits VGG-19"):
        load_adapter(path, random_vgg19)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("code in the file was run",))


def pickled_code(path):
    torch.save({"A": Evil()}, path)


def bare_pickle(path):
    path.write_bytes(pickle.dumps(Evil()))


def text(path):
    path.write_text("A and B")


def empty(path):
    path.write_bytes(b"")


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lora/data.pkl", bytes(60 * 2**20))


def huge_file(path):
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def wrong_rows(path):
    torch.save({"A": torch.zeros(7, 2), "B": torch.zeros(2, 1000)}, path)


def wrong_inner_size(path):
    torch.save({"A": torch.zeros(1280, 2), "B": torch.zeros(3, 1000)}, path)


def extra_tensor(path):
    torch.save({"A": torch.zeros(1280, 2), "B": torch.zeros(2, 1000), "C": torch.zeros(1)}, path)


def rank_too_large(path):
    torch.save({"A": torch.zeros(1280, 99), "B": torch.zeros(99, 1000)}, path)


def stretched_tensor(path):
    torch.save({"A": torch.zeros(1).expand(1280, 10**5), "B": torch.zeros(1)}, path)


def doubles(path):
    torch.save({"A": torch.zeros(1280, 2).double(), "B": torch.zeros(2, 1000)}, path)


def not_finite(path):
    torch.save({"A": torch.full((1280, 2), torch.nan), "B": torch.zeros(2, 1000)}, path)


def no_tensors(path):
    torch.save({"A": 1, "B": "x"}, path)


def pickled(path, data):
    """A zip archive as torch.save makes it, with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")


def years_to_hash(path):
    twice = b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(40))
    pickled(path, b"\x80\x02})q\x00h\x00" + twice + b"K\x01s.")


def gigabytes_to_make(path):
    pickled(path, b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")


def two_pickles(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/DATA.PKL", b"\x80\x02}.")


def old_pickle_before_an_archive(path):
    """One reader starts at the front, another at the end."""
    archive = io.BytesIO()
    torch.save({"A": torch.zeros(1280, 1), "B": torch.zeros(1, 1000)}, archive)
    magic = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    twice = b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))
    front = b"".join(pickle.dumps(part, 2) for part in magic) + b"\x80\x02}(" + twice + b"K\x01u."
    path.write_bytes(front + pickle.dumps([], 2) + archive.getvalue())


def two_directories(path):
    """An archive with two tables of contents, of which each reader takes another."""

    def part(data):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/version", "3\n")
        raw = file.getvalue()
        size, offset = struct.unpack("<LL", raw[-10:-2])
        return raw[:offset], raw[offset : offset + size], raw[-22:]

    evil, evil_directory, _ = part(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    good, good_directory, end = part(b"\x80\x02}.                          ")
    end = end[:16] + struct.pack("<L", len(evil)) + end[20:]
    path.write_bytes(evil + evil_directory + good + good_directory + end)


def many_stretched_tensors(path):
    number = torch.zeros(1)
    torch.save({f"{i}.A": number.expand(12_000_000) for i in range(200)}, path)


def huge_numbers(path):
    torch.save({"A": torch.full((1280, 1), 3e38), "B": torch.full((1, 1000), 3e38)}, path)


PTH = [
    two_directories,
    many_stretched_tensors,
    huge_numbers,
    years_to_hash,
    gigabytes_to_make,
    two_pickles,
    pickled_code,
    bare_pickle,
    text,
    empty,
    zip_bomb,
    huge_file,
    wrong_rows,
    wrong_inner_size,
    extra_tensor,
    rank_too_large,
    stretched_tensor,
    doubles,
    not_finite,
    no_tensors,
]


@pytest.mark.parametrize("make", PTH)
def test_a_hostile_pth_is_refused_by_name(tmp_path, model, make):
    path = tmp_path / "lora.pth"
    make(path)

    with pytest.raises(AdapterFileError, match=r"“lora.pth”"):
        load_adapter(path, model)


def save_spec(path, **changes):
    spec = {
        "model_name": "efficientnet_lite0",
        "placement": "head",
        "rank": 2,
        "seed": 0,
        "class_names": ["goldfish"],
    }
    tensors = {"A": torch.zeros(1280, 2), "B": torch.zeros(2, 1000)}
    save_file(tensors, path, metadata={"lora_demo.spec": json.dumps(spec | changes)})


def lying_header(path):
    header = b'{"A":{"dtype":"F32","shape":[2500000000],"data_offsets":[0,10000000000]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def many_tensors(path):
    tensors = {str(i): torch.zeros(0) for i in range(10**5)}
    save_file(tensors, path, metadata={"lora_demo.spec": "{}"})


def test_torch_reads_what_was_checked_and_nothing_else(tmp_path, model, features):
    old_pickle_before_an_archive(tmp_path / "lora.pth")

    loaded = load_adapter(tmp_path / "lora.pth", model)

    assert torch.equal(loaded.logits(features), features.logits)


SAFETENSORS = {
    "says it is 10 GB": lying_header,
    "no header": text,
    "no metadata": lambda path: save_file({"A": torch.zeros(1)}, path),
    "another rank": lambda path: save_spec(path, rank=3),
    "rank of a billion": lambda path: save_spec(path, rank=10**9),
    "unknown placement": lambda path: save_spec(path, placement="<script>"),
    "unknown model": lambda path: save_spec(path, model_name="<img onerror=alert(1)>"),
    "unknown class": lambda path: save_spec(path, class_names=["<img onerror=alert(1)>"]),
    "a class as a list": lambda path: save_spec(path, class_names=[["x"]]),
    "a class many times": lambda path: save_spec(path, class_names=["goldfish"] * 10**5),
    "no list of classes": lambda path: save_spec(path, class_names=7),
    "rank that is true": lambda path: save_spec(path, rank=True),
    "a model name without end": lambda path: save_spec(path, model_name="x" * 10**6),
    "a million words": lambda path: save_spec(path, class_names=[str(i) for i in range(10**6)]),
    "a word that is markup": lambda path: save_spec(path, class_names=["<b>"]),
    "words as one text": lambda path: save_spec(path, class_names="mug"),
    "strength NaN": lambda path: save_spec(path, strength=float("nan")),
    "strength true": lambda path: save_spec(path, strength=True),
    "strength beyond the dial": lambda path: save_spec(path, strength=2.5),
    "many tensors": many_tensors,
    "unknown field": lambda path: save_spec(path, more=1),
}


@pytest.mark.parametrize("make", SAFETENSORS.values(), ids=SAFETENSORS)
def test_a_hostile_safetensors_file_is_refused_by_name(tmp_path, model, make):
    path = tmp_path / "lora.safetensors"
    make(path)

    with pytest.raises(AdapterFileError, match=r"“lora.safetensors”") as caught:
        load_adapter(path, model)
    assert len(str(caught.value)) < 1000


def test_a_stretched_tensor_is_refused_before_it_is_looked_through(tmp_path, model):
    path = tmp_path / "lora.pth"
    stretched_tensor(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(AdapterFileError):
        load_adapter(path, model)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB


def test_a_file_that_is_not_there_is_named(model):
    with pytest.raises(AdapterFileError, match=r"“gone.pth”.*missing"):
        load_adapter("gone.pth", model)


def test_open_adapter_brings_the_base_model_along(tmp_path, model, adapter):
    path = save_adapter(adapter, tmp_path / "lora.safetensors")

    opened_model, opened = open_adapter(path, "vgg19")

    assert opened_model is model
    assert opened.spec == adapter.spec


@pytest.mark.parametrize("name", ["nope", "", "<img src=x>", None, [], {}, 7])
def test_a_file_for_no_known_network_is_named(tmp_path, name):
    save_spec(tmp_path / "lora.safetensors", model_name=name)

    with pytest.raises(AdapterFileError, match=r"“lora.safetensors”"):
        open_adapter(tmp_path / "lora.safetensors", "vgg19")


def test_a_file_for_a_network_whose_weights_are_missing_is_named(tmp_path):
    save_spec(tmp_path / "lora.safetensors", model_name="vgg19")

    with pytest.raises(WeightsError, match=r"“lora.safetensors” needs another network"):
        open_adapter(tmp_path / "lora.safetensors", "vgg19")


def test_another_suffix_is_refused(tmp_path, model, adapter):
    with pytest.raises(AdapterFileError, match="must end in"):
        save_adapter(adapter, tmp_path / "lora.bin")
    with pytest.raises(AdapterFileError, match="must end in"):
        load_adapter(tmp_path / "lora.bin", model)
