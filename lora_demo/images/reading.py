"""Turn untrusted picture files into upright RGB images, within limits."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lora_demo.errors import ImageError
from lora_demo.images.heic import is_heic, open_heic, tame
from lora_demo.images.jpeg import excess
from lora_demo.images.upright import upright_rgb
from lora_demo.limits import (
    MAX_PICTURE_BYTES,
    MAX_PICTURE_READS,
    MAX_PIXELS,
    MAX_SIDE_RATIO,
)

# The formats that every browser shows, and the endings under which a server names them so.
BROWSER_ENDINGS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "AVIF": (".avif",),
}
FORMATS = (*BROWSER_ENDINGS, "HEIF", "DIB")  # DIB last: it accepts nearly any four bytes
warnings.filterwarnings("ignore", module=r"PIL\.")  # judged here, not in the log
_SAVE_AGAIN = "Save it again as JPEG or PNG and add it once more."
_SMALLER = "Make the picture smaller and add it once more."
_TOO_MANY_PIXELS = f"has over {MAX_PIXELS // 10**6} million pixels, too many. {_SMALLER}"


@dataclass(frozen=True)
class LabelledImage:
    """A picture file and the class that it shows. It is decoded only when needed."""

    path: Path
    label: str | None  # a class name of the base model; None: none of those that are taught

    @property
    def name(self) -> str:
        return self.path.name


def read_image_bytes(path: Path) -> bytes:
    """Read a picture file; raise `ImageError` if it is missing, empty or too large."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise ImageError(path.name, f"is empty (0 bytes). {_SAVE_AGAIN}")
        if size > MAX_PICTURE_BYTES:
            raise ImageError(
                path.name,
                f"has {size / 2**20:.0f} MB; {MAX_PICTURE_BYTES >> 20} MB is the most. {_SMALLER}",
            )
        return path.read_bytes()
    except OSError as error:
        raise ImageError(path.name, "cannot be opened. Check it, then add it again.") from error


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode the first frame of a picture: upright, RGB, alpha laid on white.

    Its size is checked before any pixel is decoded. Raises `ImageError`.
    """
    with _opened(data, name) as image:
        return upright_rgb(image)


def open_image(path: Path | str) -> Image.Image:
    """Read one picture file, upright and RGB; `ImageError` names the file and what is wrong."""
    path = Path(path)
    return decode_image(read_image_bytes(path), path.name)


def browser_copy(path: Path) -> tuple[bytes, str] | None:
    """Return what a browser can show in place of a picture file, and its ending.

    None means that the file itself will do. If only its ending is wrong, the bytes stay the same;
    otherwise they become an upright JPEG. The picture is decoded in any case, so that `ImageError`
    is raised if it cannot be used.
    """
    data = read_image_bytes(path)
    with _opened(data, path.name) as image:
        endings = BROWSER_ENDINGS.get("JPEG" if image.format == "MPO" else str(image.format))
        picture = upright_rgb(image)
    if endings is None:
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=95)
        return jpeg.getvalue(), ".jpg"
    return None if path.suffix.lower() in endings else (data, endings[0])


def count_pixels(path: Path) -> int:
    """Read the head of a picture, which may still be cut short. Raises `ImageError`."""
    with _opened(read_image_bytes(path), path.name) as image:
        return image.width * image.height


class _CountedReads(io.BytesIO):
    """A file that stops Pillow before it spends minutes on a million empty chunks."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        if self.reads > MAX_PICTURE_READS:
            raise ValueError("consists of too many parts")
        return super().read(size)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open a picture without decoding it; whatever goes wrong inside becomes an `ImageError`."""
    if data[:2] == b"\xff\xd8":
        too_many = excess(data)
        if too_many:
            raise ImageError(name, f"is a JPEG with too many {too_many}. {_SAVE_AGAIN}")
    Image.init()  # lists the formats that this Pillow can read
    open_heic()
    formats = [known for known in FORMATS if known in Image.OPEN]
    try:
        if is_heic(data):
            data = tame(data)
        with Image.open(_CountedReads(data), formats=formats) as image:
            _check_size(image, name)
            yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(name, _TOO_MANY_PIXELS) from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            name,
            "is not a picture in a format that can be read here (JPEG, PNG, GIF, WebP, BMP, AVIF "
            f"or HEIC). {_SAVE_AGAIN}",
        ) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, ...
        raise ImageError(
            name, f"cannot be read as a picture; it may be damaged or cut short. {_SAVE_AGAIN}"
        ) from error


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(name, _TOO_MANY_PIXELS)
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ImageError(
            name,
            f"is a strip of {width} x {height} pixels, too narrow to see anything in. "
            "Crop it nearer to a square and add it once more.",
        )
